/// Lists of jobs, the newest first, in SQL. Parameter 1 of each statement is the number of jobs.
///
/// Operators' lists read each state by itself: jobs that are over from the end of an index that begins with the tenant, the label or the
/// state, and jobs that wait or run, which are few, all. So a page costs the same for any length of the history, also if it has few
/// jobs of the state.
struct JobList {
    private let states: Set<JobState>
    /// The last id of the page before, as SQL.
    private let before: String?

    /// - Parameter states: none for all.
    init(states: [JobState], before: String?) {
        self.states = Set(states)
        self.before = before
    }

    private var next: String? { before.map { "j.id < \($0)" } }

    /// The jobs of an actor, which are not many.
    func ofActor(_ condition: String) -> String {
        """
        SELECT \(JobRecord.columns) FROM \(JobRecord.source) WHERE \(all(condition, stateCondition)) ORDER BY j.id DESC LIMIT $1::int
        """
    }

    /// The jobs that show a slug.
    ///
    /// - Parameter slug: the parameter with the slug.
    func ofLabel(_ slug: String) -> String {
        "SELECT \(JobRecord.columns) FROM (\(page(ColumnValue(column: "j.tenant_slug", value: slug)))) j \(JobRecord.leaseJoin) ORDER BY j.id DESC"
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
        FROM (SELECT DISTINCT unnest(\(keys)::text[])) AS mine (key) CROSS JOIN LATERAL (\(page(ColumnValue(column: "j.tenant_key", value: "mine.key")))) AS j
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

    /// - Parameter owner: nil for all jobs.
    private func page(_ owner: ColumnValue?) -> String {
        let wanted = states.isEmpty ? Set(JobState.allCases) : states
        var parts = wanted.sorted { $0.rawValue < $1.rawValue }.map { state in
            guard state.isFinal else { return few(all("j.state = '\(state.rawValue)'", owner?.condition, next)) }
            return newest(
                state, of: owner, isCurrent: state == .succeeded && !wanted.contains(.expired))
        }
        if wanted.contains(.expired), !wanted.contains(.succeeded) {
            // Workers expire such workbooks within seconds. The first conditions are for the index `job_to_expire`.
            let overdue = "j.state = 'succeeded' AND NOT j.hold AND j.expires_at < now() AND \(JobRecord.isOverdue)"
            parts.append(few(all(overdue, owner?.condition, next)))
        }
        return "SELECT * FROM (\(parts.joined(separator: " UNION ALL "))) j ORDER BY j.id DESC LIMIT $1::int"
    }

    /// All jobs on a condition. OFFSET 0 keeps the planner from looking for few jobs in the whole history, in the order of ids.
    private func few(_ conditions: String) -> String {
        "(SELECT j.* FROM adminexport.job j WHERE \(conditions) OFFSET 0)"
    }

    /// The newest jobs of a state that is final, by the end of the index that ``FirstKey`` leaves.
    ///
    /// - Parameter isCurrent: without workbooks that have expired by the clock.
    private func newest(_ state: JobState, of owner: ColumnValue?, isCurrent: Bool) -> String {
        let state = ColumnValue(column: "j.state", value: "'\(state.rawValue)'")
        let first = FirstKey(owner ?? state)
        // PostgreSQL uses a partial index only if the condition of the query implies that of the index.
        let isFinal = "j.state IN (\(Self.words(JobState.allCases.filter(\.isFinal))))"
        return """
            (SELECT j.* FROM adminexport.job j
                WHERE \(all(
                    first.condition, owner == nil ? nil : state.condition, isFinal, next, isCurrent ? "NOT \(JobRecord.isOverdue)" : nil))
                ORDER BY \(first.order), j.id DESC LIMIT $1::int)
            """
    }
}

/// The first column of the index whose end a list is to read.
///
/// The condition compares the column with an array that contains the value twice. PostgreSQL searches the index as for one value, but keeps
/// the column in the ORDER BY, so that only an index that begins with this column has the order. With an equality, PostgreSQL removes the
/// column from the order. It could then choose another index, and scan the whole history for a tenant that has nothing to list.
struct FirstKey {
    let condition: String
    let order: String

    init(_ key: ColumnValue) {
        condition = "\(key.column) = ANY (ARRAY[\(key.value), \(key.value)])"
        order = "\(key.column) DESC"
    }
}

/// A column and a value for it, both as SQL.
struct ColumnValue {
    let column: String
    let value: String

    var condition: String { "\(column) = \(value)" }
}
