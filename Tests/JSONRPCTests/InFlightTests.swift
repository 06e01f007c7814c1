@testable import JSONRPC
import Testing

@Suite struct InFlightTests {
    /// The content of a unit is its name, and its running task is a number.
    private typealias Table = InFlight<String, Int>

    private func id(_ text: String) throws -> RequestID {
        try #require(RequestID(JSONDocument(scanning: Array(text.utf8)).root))
    }

    private func admit(_ table: inout Table, _ number: Int, isControl: Bool = false) throws -> Table.Admission {
        table.admit([try id("\(number)")], isControl: isControl, isBatch: false, "unit of \(number)")
    }

    @Test("Units beyond the window are parked in order or refused, and the first parked unit gets a free place")
    func window() throws {
        var table = Table(window: 2, parkingSpace: 2)
        let admissions = try (1...5).map { try admit(&table, $0) }
        #expect(admissions == [.start(0), .start(1), .park, .park, .refuse])
        #expect(table.count == (4, 4))
        let third = table.finish(0)
        #expect(third == 2 && table.take(2) == "unit of 3" && table.take(2) == nil)
        guard case .dropped = table.cancel(try id("4")) else { return #expect(Bool(false), "4 is not parked") }
        guard case .unknown = table.cancel(try id("4")) else { return #expect(Bool(false), "4 is still known") }
        #expect(table.finish(1) == nil && !table.isIdle)
        #expect(table.finish(2) == nil && table.isIdle && table.count == (0, 0))
        #expect(table.finish(2) == nil && table.isIdle)
    }

    @Test("Control units have a lane of their own")
    func control() throws {
        var table = Table(window: 1, parkingSpace: 1)
        #expect(try admit(&table, 1) == .start(0))
        let admissions = try (2...7).map { try admit(&table, $0, isControl: true) }
        #expect(admissions == [.start(1), .start(2), .start(3), .start(4), .park, .refuse])
        #expect(table.finish(1) == 5 && table.take(5) == "unit of 6")
        #expect(try admit(&table, 8) == .park)
    }

    @Test("Ids are equal if their values are, and are free when they are answered")
    func ids() throws {
        var table = Table(window: 10, parkingSpace: 0)
        // The ids in order, and whether each is free.
        let asked: [(String, Bool)] = [
            (#""A""#, true), (#""\u0041""#, false), ("1", true), (#""1""#, true), ("0", true), ("-0", false),
            (#""é""#, true), (#""e\u0301""#, true),
        ]
        for (text, isFree) in asked {
            let asked = try id(text)
            #expect(table.isTaken(asked) != isFree, "\(text)")
            if isFree { _ = table.admit([asked], isControl: false, isBatch: false, text) }
        }
        let again = try id(#""\u0041""#)
        table.answered(again, of: 0)
        #expect(!table.isTaken(again))
        // The first unit of the id has not finished. Its end must not free the id of the second unit.
        #expect(table.admit([again], isControl: false, isBatch: false, "again") == .start(6))
        _ = table.finish(0)
        #expect(table.isTaken(again))
        _ = table.finish(6)
        #expect(!table.isTaken(again))
        for text in ["null", "1.5", "1e2", "true", "{}", "\"\(String(repeating: "x", count: 129))\""] {
            #expect(RequestID(try JSONDocument(scanning: Array(text.utf8)).root) == nil)
        }
    }

    @Test("A request that is cancelled before it starts does not start, and a later request can use its id")
    func cancelledBefore() throws {
        var table = Table(window: 2, parkingSpace: 0)
        let one = try id("1")
        _ = table.admit([one], isControl: false, isBatch: false, "first")
        #expect(table.take(0) == "first")
        guard case .noted = table.cancel(one) else { return #expect(Bool(false), "it is not noted") }
        #expect(table.begin(one, of: 0, isLong: false) { 7 } == nil)
        _ = table.finish(0)
        _ = table.admit([one], isControl: false, isBatch: false, "second")
        #expect(table.take(1) == "second" && table.begin(one, of: 1, isLong: true) { 8 } == 8)
        #expect(table.waiting == [8] && table.running == [8])
        guard case .running(8) = table.cancel(one) else { return #expect(Bool(false), "it does not run") }
    }

    @Test("A cancelled request whose unit has a place but has not started is answered at once, once, and its unit is empty")
    func cancelledInItsPlace() throws {
        var table = Table(window: 2, parkingSpace: 1)
        for number in 1...3 { _ = try admit(&table, number) }
        let one = try id("1")
        guard case .dropped(one) = table.cancel(one) else { return #expect(Bool(false), "it is not dropped") }
        guard case .unknown = table.cancel(one) else { return #expect(Bool(false), "it is still known") }
        #expect(!table.isTaken(one) && table.content(of: 0) == nil && table.take(0) == nil && table.count == (2, 3))
        #expect(table.begin(one, of: 0, isLong: false) { 7 } == nil)
        // The unit keeps its place until it has finished.
        let again = table.admit([one], isControl: false, isBatch: false, "again")
        #expect(again == .refuse && table.content(of: 2) == "unit of 3")
        #expect(table.finish(0) == 2 && table.admit([one], isControl: false, isBatch: false, "again") == .park)
        // A batch has one reply, so a cancelled request in it is answered with the batch.
        var other = Table(window: 1, parkingSpace: 0)
        _ = other.admit([one], isControl: false, isBatch: true, "batch")
        guard case .noted = other.cancel(one) else { return #expect(Bool(false), "it is not noted") }
        #expect(other.take(0) == "batch" && other.begin(one, of: 0, isLong: false) { 7 } == nil)
    }

    /// A model of how a connection uses the table: it starts, answers and finishes units in any order, and cancels known and
    /// unknown ids in between.
    private struct Walk {
        var table = Table(window: 3, parkingSpace: 3)
        var random: Generator
        /// The units that have started, with their unanswered ids.
        var started: [Int: [RequestID]] = [:]
        let pool: [RequestID]

        /// The generator of Numerical Recipes. A seed always gives the same walk.
        struct Generator: RandomNumberGenerator {
            var state: UInt64
            mutating func next() -> UInt64 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return state >> 11 ^ state << 32
            }
        }

        mutating func anyID() -> RequestID { pool[Int.random(in: pool.indices, using: &random)] }

        mutating func step() {
            let id = anyID()
            switch Int.random(in: 0..<12, using: &random) {
            case 0...3:
                let count = Int.random(in: 0...4, using: &random)
                let ids = Set((0..<count).map { _ in anyID() }).filter { !table.isTaken($0) }
                let isControl = Bool.random(using: &random)
                let before = table.count
                switch table.admit(Array(ids), isControl: isControl, isBatch: ids.count != 1, "") {
                case .start(let number): started[number] = Array(ids)
                case .park: break
                case .refuse: #expect(table.count == before, "a refused unit leaves an entry")
                }
            case 4...6: _ = table.cancel(id)
            case 7, 8:
                guard let (unit, ids) = started.randomElement(using: &random), let id = ids.first else { return }
                // A unit that was cancelled before does not start.
                guard table.take(unit) != nil || Bool.random(using: &random) else { return }
                _ = table.begin(id, of: unit, isLong: Bool.random(using: &random)) { unit }
                if Bool.random(using: &random) {
                    table.answered(id, of: unit)
                    started[unit]?.removeFirst()
                }
            case 9, 10:
                if let unit = started.keys.randomElement(using: &random) { finish(unit) }
            default:
                if Int.random(in: 0..<10, using: &random) == 0 { table.dropParked() }
            }
        }

        mutating func finish(_ unit: Int) {
            started[unit] = nil
            if let next = table.finish(unit) { started[next] = [] }
        }
    }

    @Test("After any order of events, if every unit has ended, the table is empty", arguments: 1...200)
    func nothingIsLeft(_ seed: UInt64) throws {
        var walk = Walk(random: .init(state: seed), pool: try (0..<8).map { try id("\($0)") })
        for _ in 0..<400 {
            walk.step()
            // At most 6 usual units and 4 + 3 control units, with 8 ids.
            #expect(walk.table.count.requests <= 8 && walk.table.count.units <= 13)
        }
        while let unit = walk.started.keys.first { walk.finish(unit) }
        #expect(walk.table.count == (0, 0) && walk.table.isIdle)
        for id in walk.pool {
            #expect(!walk.table.isTaken(id))
            guard case .unknown = walk.table.cancel(id) else { return #expect(Bool(false), "an id is still known") }
        }
        // The table has as much room as at the start.
        let admissions = try (0..<7).map { walk.table.admit([try id("\($0)")], isControl: false, isBatch: false, "") }
        #expect(admissions.count { if case .start = $0 { true } else { false } } == 3 && admissions.last == .refuse)
    }
}
