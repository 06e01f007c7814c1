/// Denials that are not in the audit trail yet. A pure value.
///
/// The trail counts every denial, and no caller can fill it: denials are counted by user and reason, not by their content.
/// The first denial of a user and reason is due at once and has its subject. Later ones are due once in an interval, as a
/// number. Users beyond ``maxKeys`` are counted together, since one person may have a range of user ids.
struct DenialAggregate: Sendable {
    /// Pairs of user and reason that are counted separately.
    static let maxKeys = 128

    private struct Key: Hashable {
        /// nil for all users that are counted together.
        let uid: Int?
        let reason: String
    }

    /// Denials of one user for one reason that become one event.
    struct Group: Sendable, Equatable {
        let reason: String
        /// The process of the first denial; nil if the denials are of several users.
        let peer: CallingProcess?
        /// What the caller named; nil if an event of this user and reason is recent.
        let subject: DeniedSubject?
        var count: Int
        /// Names of methods. Their number is fixed.
        var methods: Set<String>
        /// The time of the first denial.
        var since: ContinuousClock.Instant

        mutating func add(_ other: Group) {
            count += other.count
            methods.formUnion(other.methods)
            since = min(since, other.since)
        }
    }

    private struct State {
        var waiting: Group?
        /// When the last event was taken out.
        var taken: ContinuousClock.Instant?
    }

    private let interval: Duration
    private var states: [Key: State] = [:]

    init(interval: Duration = .seconds(60)) {
        self.interval = interval
    }

    /// The number of denials that wait.
    var count: Int { states.values.reduce(0) { $0 + ($1.waiting?.count ?? 0) } }

    /// - Parameter subject: called for the first denial of a user and reason.
    /// - Returns: whether ``nextDue`` may have changed.
    mutating func add(
        _ peer: CallingProcess, reason: String, method: String, at now: ContinuousClock.Instant, subject: () -> DeniedSubject
    ) -> Bool {
        var key = Key(uid: peer.uid, reason: reason)
        if states[key] == nil {
            if states.count >= Self.maxKeys { forgetQuiet(at: now) }
            if states.count >= Self.maxKeys { key = Key(uid: nil, reason: reason) }
        }
        var state = states[key] ?? State()
        guard state.waiting == nil else {
            states[key]?.waiting?.count += 1
            states[key]?.waiting?.methods.insert(method)
            return false
        }
        let isNamed = key.uid != nil
        state.waiting = Group(
            reason: reason, peer: isNamed ? peer : nil, subject: isNamed && !isWithin(state, now) ? subject() : nil,
            count: 1, methods: [method], since: now)
        states[key] = state
        return true
    }

    /// Whether its last event was taken out less than an interval ago.
    private func isWithin(_ state: State, _ now: ContinuousClock.Instant) -> Bool {
        state.taken.map { $0.duration(to: now) < interval } ?? false
    }

    /// When the next event is due; nil if nothing waits.
    var nextDue: ContinuousClock.Instant? {
        states.values.filter { $0.waiting != nil }
            .map { state in state.taken.map { $0 + interval } ?? state.waiting?.since ?? .now }.min()
    }

    /// Takes out the events that are due, the oldest first.
    ///
    /// - Parameter everything: whether to take also those that are not due yet.
    mutating func take(at now: ContinuousClock.Instant, everything: Bool = false) -> [Group] {
        var groups: [Group] = []
        for (key, state) in states {
            guard let group = state.waiting, everything || !isWithin(state, now) else { continue }
            groups.append(group)
            states[key] = State(waiting: nil, taken: now)
        }
        forgetQuiet(at: now)
        return groups.sorted { $0.since < $1.since }
    }

    /// Keeps events that could not be written, merged with later ones. They are due at once.
    mutating func putBack(_ groups: [Group]) {
        for var group in groups {
            let key = Key(uid: group.peer?.uid, reason: group.reason)
            if let since = states[key]?.waiting { group.add(since) }
            states[key] = State(waiting: group, taken: nil)
        }
    }

    private mutating func forgetQuiet(at now: ContinuousClock.Instant) {
        states = states.filter { $0.value.waiting != nil || isWithin($0.value, now) }
    }
}

/// What the caller named in a request that was denied, as sent.
package struct DeniedSubject: Sendable, Equatable {
    /// The tenant's slug.
    package var tenant: String?
    /// The administrator's e-mail address.
    package var administrator: String?
    /// The job's id.
    package var job: JobID?

    /// What a request named; nil for what it did not name.
    package init(tenant: String? = nil, administrator: String? = nil, job: JobID? = nil) {
        self.tenant = tenant
        self.administrator = administrator
        self.job = job
    }
}
