/// Lists of jobs, the newest first, in SQL. Parameter 1 of each statement is the number of jobs.
///
/// Operators' lists read each state by itself: jobs that are over from the end of an index that begins with the tenant, the label or the
/// state, and jobs that wait or run, which are few, all. So a page costs the same for any length of the history, also if it has few
/// jobs of the state.
struct JobList {
    private let states: Set<JobState>
    /// The condition by which a page begins after the one before, over `adminexport.job j`.
    private let next: String?

    /// - Parameter states: none for all.
    init(states: [JobState], next: String?) {
        self.states = Set(states)
        self.next = next
    }

    /// The jobs of an actor, which are not many.
    func ofActor(_ condition: String) -> String {
        """
        SELECT \(JobRecord.columns) FROM \(JobRecord.source) WHERE \(all(condition, stateCondition)) ORDER BY j.id DESC LIMIT $1::int
        """
    }

    /// The jobs on the condition that they have a label.
    func ofLabel(_ condition: String) -> String {
        "SELECT \(JobRecord.columns) FROM (\(page(condition))) j \(JobRecord.leaseJoin) ORDER BY j.id DESC"
    }

    /// All jobs: from the end of the primary key, or for each state from the end of the index on `(state, id)`.
    func ofAll() -> String {
        guard !states.isEmpty else {
            let condition = next.map { "WHERE \($0) " } ?? ""
            return "SELECT \(JobRecord.columns) FROM \(JobRecord.source) \(condition)ORDER BY j.id DESC LIMIT $1::int"
        }
        return "SELECT \(JobRecord.columns) FROM (\(page(nil))) j \(JobRecord.leaseJoin) ORDER BY j.id DESC"
    }

    /// The newest jobs of each tenant, and the newest of those. With one condition for all tenants PostgreSQL would read all their jobs.
    ///
    /// - Parameter keys: the parameter with the tenants' keys.
    func ofTenants(_ keys: String) -> String {
        """
        SELECT \(JobRecord.columns)
        FROM (SELECT DISTINCT unnest(\(keys)::text[])) AS mine (key) CROSS JOIN LATERAL (\(page("j.tenant_key = mine.key"))) AS j
        \(JobRecord.leaseJoin)
        ORDER BY j.id DESC LIMIT $1::int
        """
    }

    /// A list of states for IN. Literals, so that the planner can choose a partial index.
    static func words(_ states: some Sequence<JobState>) -> String {
        Set(states).map { "'\($0.rawValue)'" }.sorted().joined(separator: ", ")
    }

    // MARK: Conditions

    private func all(_ conditions: String?...) -> String {
        conditions.compactMap { $0 }.joined(separator: " AND ")
    }

    /// A workbook that has expired by the clock counts as expired.
    private var stateCondition: String? {
        guard !states.isEmpty else { return next }
        let words = Self.words(states)
        let condition =
            switch (states.contains(.succeeded), states.contains(.expired)) {
            case (true, false): "j.state IN (\(words)) AND NOT \(JobRecord.isOverdue)"
            case (false, true): "(j.state IN (\(words)) OR \(JobRecord.isOverdue))"
            default: "j.state IN (\(words))"
            }
        return all(condition, next)
    }

    /// - Parameter condition: whose jobs; nil for all.
    private func page(_ condition: String?) -> String {
        let wanted = states.isEmpty ? Set(JobState.allCases) : states
        var parts = wanted.sorted { $0.rawValue < $1.rawValue }.map { state in
            guard state.isFinal else { return few(all("j.state = '\(state.rawValue)'", condition, next)) }
            let isCurrent = state == .succeeded && !wanted.contains(.expired) ? "NOT \(JobRecord.isOverdue)" : nil
            return newest(state, isOfAll: condition == nil) { all($0, condition, isCurrent, next) }
        }
        if wanted.contains(.expired), !wanted.contains(.succeeded) {
            // Workers expire such workbooks within seconds. The first conditions are for the index `job_to_expire`.
            let overdue = "j.state = 'succeeded' AND NOT j.hold AND j.expires_at < now() AND \(JobRecord.isOverdue)"
            parts.append(few(all(overdue, condition, next)))
        }
        return "SELECT * FROM (\(parts.joined(separator: " UNION ALL "))) j ORDER BY j.id DESC LIMIT $1::int"
    }

    /// All jobs on a condition. OFFSET 0 keeps the planner from looking for few jobs in the whole history, in the order of ids.
    private func few(_ conditions: String) -> String {
        "(SELECT j.* FROM adminexport.job j WHERE \(conditions) OFFSET 0)"
    }

    /// The newest jobs of a state that is final.
    ///
    /// - Parameter isOfAll: without a tenant or a label, the planner would also take the primary key, and look for the state in the whole
    ///   history. Only one index has the order of state and id; with an equality the state would be no part of the order.
    private func newest(_ state: JobState, isOfAll: Bool, _ conditions: (String) -> String) -> String {
        let word = "'\(state.rawValue)'"
        let condition =
            isOfAll
            ? "j.state BETWEEN \(word) AND \(word) AND j.state IN (\(Self.words(JobState.allCases.filter(\.isFinal))))"
            : "j.state = \(word)"
        return """
            (SELECT j.* FROM adminexport.job j WHERE \(conditions(condition))
                ORDER BY \(isOfAll ? "j.state, " : "")j.id DESC LIMIT $1::int)
            """
    }
}
