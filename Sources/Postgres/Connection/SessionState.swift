/// What a connection knows of its session on the server. A pure value.
struct SessionState {
    /// What the next statement is part of.
    enum Use {
        /// No transaction: it runs as the login.
        case free
        /// A transaction of its own, with the role that ``PostgresConnection/withStatement(role:_:)`` has set.
        case statement
        case transaction
    }

    /// No pooler stands between, so what is set for the session remains set for this connection.
    var isDedicated = false
    var use = Use.free
    let began = ContinuousClock.now
    /// The role that is set for the session; nil for the login's own.
    var role: String?
    var statements = PreparedStatements()
}

/// The statements that a session has prepared. A pure value.
///
/// The program chooses the names. A statement that contains a number, such as a page's size, has many texts, so the number of
/// statements is bounded; others are sent without preparing them.
struct PreparedStatements {
    private static let maxCount = 64
    /// A plan that was made for an empty table does not suit a full one, and the server makes a new plan only when its statistics
    /// change.
    private static let maxPlanAge: Duration = .seconds(300)

    private var names: [String: String] = [:]
    /// Names that were used, also for statements that could not be prepared: the server may know them.
    private var usedNames = 0
    /// When the oldest of the server's plans may have been made.
    private var plansFrom: ContinuousClock.Instant?

    func name(of sql: String) -> String? { names[sql] }

    /// - Returns: nil if there are enough.
    mutating func newName() -> String? {
        guard names.count < Self.maxCount else { return nil }
        defer { usedNames += 1 }
        return "s\(usedNames)"
    }

    mutating func keep(_ name: String, for sql: String, at now: ContinuousClock.Instant) {
        names[sql] = name
        plansFrom = plansFrom ?? now
    }

    /// Whether the server has to discard its plans.
    func arePlansOld(at now: ContinuousClock.Instant) -> Bool {
        plansFrom.map { $0.duration(to: now) >= Self.maxPlanAge } ?? false
    }

    mutating func renewPlans(at now: ContinuousClock.Instant) {
        plansFrom = now
    }
}
