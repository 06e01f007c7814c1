/// Denials that are not in the audit trail yet. A pure value.
///
/// The trail has every denial, and nobody can fill it: denials are counted by who was denied and why, never by what they sent. The
/// first of a user and reason is due at once and says what was asked for; those that follow are due once in an interval, as a
/// number. Users beyond ``maxKeys`` are counted together, since one person may have a range of user ids.
struct DenialAggregate: Sendable {
    /// Users and reasons that are told apart.
    static let maxKeys = 128

    private struct Key: Hashable {
        /// nil for all who are not told apart.
        let uid: Int?
        let reason: String
    }

    /// Denials of one user for one reason that become one event.
    struct Group: Sendable, Equatable {
        let reason: String
        /// The process of the first of them; nil where they are of several users.
        let peer: CallingProcess?
        /// What was asked for; nil where it is not the first of its user and reason.
        let subject: DeniedSubject?
        var count: Int
        /// Names of methods, of which there is a fixed number.
        var methods: Set<String>
        /// When the first of them was.
        var since: ContinuousClock.Instant

        mutating func add(_ other: Group) {
            count += other.count
            methods.formUnion(other.methods)
            since = min(since, other.since)
        }
    }

    private struct State {
        var waiting: Group?
        /// When the last event was taken to be written.
        var taken: ContinuousClock.Instant?
    }

    private let interval: Duration
    private var states: [Key: State] = [:]

    init(interval: Duration = .seconds(60)) {
        self.interval = interval
    }

    /// How many denials wait.
    var count: Int { states.values.reduce(0) { $0 + ($1.waiting?.count ?? 0) } }

    /// - Parameter subject: asked where it is the first of its user and reason.
    /// - Returns: whether ``nextDue`` may be another now.
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

    /// Whether an event of it was taken less than an interval ago.
    private func isWithin(_ state: State, _ now: ContinuousClock.Instant) -> Bool {
        state.taken.map { $0.duration(to: now) < interval } ?? false
    }

    /// When something is due next; nil while nothing waits.
    var nextDue: ContinuousClock.Instant? {
        states.values.filter { $0.waiting != nil }
            .map { state in state.taken.map { $0 + interval } ?? state.waiting?.since ?? .now }.min()
    }

    /// Takes what is due, the oldest first.
    ///
    /// - Parameter everything: also what is not due yet.
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

    /// Keeps what could not be written, together with what has come since. It is due again at once.
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

/// What somebody asked for in vain, as they gave it.
package struct DeniedSubject: Sendable, Equatable {
    package var tenant: String?
    package var administrator: String?
    package var job: JobID?

    package init(tenant: String? = nil, administrator: String? = nil, job: JobID? = nil) {
        self.tenant = tenant
        self.administrator = administrator
        self.job = job
    }
}
