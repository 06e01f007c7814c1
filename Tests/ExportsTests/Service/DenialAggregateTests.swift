import Testing

@testable import Exports

@Suite struct DenialAggregateTests {
    private static let start = ContinuousClock.now

    private static func peer(_ uid: Int, pid: Int = 1) -> CallingProcess { CallingProcess(uid: uid, gid: uid, pid: pid) }

    private static func add(
        _ aggregate: inout DenialAggregate, uid: Int = 7, pid: Int = 1, _ reason: String = "no-permission",
        _ method: String = "export.get", at seconds: Double, tenant: String = "acme"
    ) {
        _ = aggregate.add(peer(uid, pid: pid), reason: reason, method: method, at: start + .seconds(seconds)) {
            DeniedSubject(tenant: tenant, administrator: "a@x")
        }
    }

    @Test(
        "The first denial is due at once with its subject; those of the next minute are counted; a quiet minute starts this again"
    )
    func minute() throws {
        var aggregate = DenialAggregate()
        #expect(aggregate.nextDue == nil && aggregate.take(at: Self.start).isEmpty)
        Self.add(&aggregate, pid: 11, at: 0)
        #expect(aggregate.nextDue == Self.start)
        let first = try #require(aggregate.take(at: Self.start).first)
        #expect(first.count == 1 && first.peer == Self.peer(7, pid: 11) && first.subject?.tenant == "acme")
        for second in 1...59 { Self.add(&aggregate, pid: 100 + second, "no-permission", "export.list", at: Double(second)) }
        #expect(aggregate.take(at: Self.start + .seconds(59.9)).isEmpty && aggregate.count == 59)
        #expect(aggregate.nextDue == Self.start + .seconds(60))
        let second = try #require(aggregate.take(at: Self.start + .seconds(60)).first)
        #expect(second.count == 59 && second.subject == nil && second.methods == ["export.list"])
        #expect(second.peer == Self.peer(7, pid: 101) && second.since == Self.start + .seconds(1))
        #expect(aggregate.take(at: Self.start + .seconds(120)).isEmpty && aggregate.nextDue == nil)
        Self.add(&aggregate, at: 121)
        #expect(aggregate.take(at: Self.start + .seconds(121)).first?.subject != nil)
    }

    @Test("Denials are grouped by user and reason, and by nothing else that was sent", arguments: [1, 2, 3, 4])
    func keys(_ seed: UInt64) {
        var random = SplitMix(state: seed)
        var aggregate = DenialAggregate()
        let (users, reasons, minutes) = (3, 7, 10)
        var events = 0
        var counted = 0
        for step in 0..<(minutes * 600) {
            let now = Double(step) / 10
            Self.add(
                &aggregate, uid: .random(in: 0..<users, using: &random), pid: .random(in: 1...99_999, using: &random),
                "reason \(Int.random(in: 0..<reasons, using: &random))", "m\(Int.random(in: 0..<20, using: &random))",
                at: now,
                tenant: "\(random.next())")
            let taken = aggregate.take(at: Self.start + .seconds(now))
            events += taken.count
            counted += taken.reduce(0) { $0 + $1.count }
        }
        #expect(events <= users * reasons * (minutes + 1))
        let rest = aggregate.take(at: Self.start + .seconds(minutes * 60), everything: true)
        #expect(counted + rest.reduce(0) { $0 + $1.count } == minutes * 600)
    }

    @Test("The number of events in a minute is limited for any number of user ids, and every denial is counted")
    func users() {
        var aggregate = DenialAggregate()
        var groups: [DenialAggregate.Group] = []
        for uid in 0..<10_000 {
            Self.add(&aggregate, uid: uid, uid % 2 == 0 ? "no-permission" : "unknown-tenant", at: Double(uid) / 1_000)
            if uid % 100 == 0 { groups += aggregate.take(at: Self.start + .seconds(Double(uid) / 1_000)) }
        }
        groups += aggregate.take(at: Self.start + .seconds(10), everything: true)
        #expect(groups.reduce(0) { $0 + $1.count } == 10_000)
        // One group for each key that is kept apart, and for each of the two reasons two groups for all other keys.
        #expect(groups.count <= DenialAggregate.maxKeys + 4)
        let others = groups.filter { $0.peer == nil }
        #expect(
            others.allSatisfy { $0.subject == nil } && others.reduce(0) { $0 + $1.count } == 10_000 - DenialAggregate.maxKeys
        )
        // The keys are free again a minute later.
        Self.add(&aggregate, uid: 99_999, at: 200)
        #expect(aggregate.take(at: Self.start + .seconds(200)).first?.peer == Self.peer(99_999))
    }

    @Test("Denials that could not be written are due again at once, together with later ones, and none is lost")
    func putBack() throws {
        var aggregate = DenialAggregate()
        Self.add(&aggregate, at: 0)
        let taken = aggregate.take(at: Self.start)
        Self.add(&aggregate, "no-permission", "export.list", at: 1)
        aggregate.putBack(taken)
        #expect(aggregate.count == 2)
        let again = aggregate.take(at: Self.start + .seconds(2))
        let group = try #require(again.first)
        #expect(again.count == 1 && group.count == 2 && group.methods == ["export.get", "export.list"])
        #expect(group.subject?.tenant == "acme" && group.since == Self.start)
        Self.add(&aggregate, at: 3)
        #expect(aggregate.take(at: Self.start + .seconds(3)).isEmpty)
    }

    @Test("In any order of denials, writes and failures, each denial is counted once", arguments: 1...20)
    func anyOrder(_ seed: UInt64) {
        var random = SplitMix(state: seed)
        var aggregate = DenialAggregate()
        var (added, written) = (0, 0)
        var underWay: [DenialAggregate.Group] = []
        for step in 0..<2_000 {
            let now = Double(step)
            switch Int.random(in: 0..<10, using: &random) {
            case 0 where underWay.isEmpty: underWay = aggregate.take(at: Self.start + .seconds(now))
            case 1:
                written += underWay.reduce(0) { $0 + $1.count }
                underWay = []
            case 2:
                aggregate.putBack(underWay)
                underWay = []
            default:
                Self.add(&aggregate, uid: .random(in: 0..<200, using: &random), at: now)
                added += 1
            }
        }
        aggregate.putBack(underWay)
        written += aggregate.take(at: Self.start + .seconds(2_000), everything: true).reduce(0) { $0 + $1.count }
        #expect(written == added && aggregate.count == 0)
    }
}
