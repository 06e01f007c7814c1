import Exports
import Postgres
import TestSupport
import Testing

/// Compares the lists of operators, which are made for their indexes, with a filter of all rows.
@Suite(.timeLimit(.minutes(5))) struct ListTests {
    private struct Event {
        let number: Int
        let at: Int
        let kind: Audit.Event
        let tenant: String?
        let actor: String
    }

    /// Events of two tenants and of none, some at the same time.
    private static let events: [Event] = (1...48).map { number in
        Event(
            number: number, at: 1_800_000_000_000_000 + number / 3 * 1_000_000,
            kind: [.requested, .started, .denied, .finished, .started][number % 5],
            tenant: ["1", "2", nil, "1"][number % 4],
            actor: "a\(number % 3)@example.com")
    }

    private static func insert(_ event: Event) -> String {
        let tenant = event.tenant.map { "'\($0)'" } ?? "NULL"
        let slug = event.tenant.map { "'s\($0)'" } ?? "NULL"
        return """
            ('1970-01-01 00:00+00'::timestamptz + \(event.at) * interval '1 microsecond', '\(event.kind.rawValue)', \(tenant), \(slug),
                '\(event.actor)', '\(event.number)')
            """
    }

    @Test("The trail has the same events, in the same order, for each owner, kind, actor, time and size of a page")
    func trail() async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                """
                INSERT INTO adminexport.audit_event (at, event, tenant_key, tenant_slug, actor_email, reason)
                VALUES \(Self.events.map(Self.insert).joined(separator: ", "))
                """)
            let pool = database.pool()
            let owners: [(JobStore.Owner, (Event) -> Bool)] = [
                (.anyone(ofTenants: nil), { _ in true }), (.anyone(ofTenants: ["1"]), { $0.tenant == "1" }),
                (.anyone(ofTenants: ["2", "1", "2", "none"]), { $0.tenant != nil }),
                (.anyone(ofTenants: ["none"]), { _ in false }),
                (.anyone(ofTenants: []), { _ in false }), (.labelled("s2"), { $0.tenant == "2" }),
            ]
            let kinds: [[Audit.Event]?] = [nil, [], [.started], [.denied, .finished], [.started, .started, .expired]]
            let times = [nil, Self.events[10].at, Self.events[30].at]
            for (owner, isOwn) in owners {
                for kind in kinds {
                    for actor in [nil, "a1@example.com"] {
                        for from in times {
                            for before in times {
                                var filter = AuditLog.Filter()
                                (filter.events, filter.actorEmail, filter.from, filter.before) = (kind, actor, from, before)
                                let expected = Self.events.filter { event in
                                    isOwn(event) && kind?.contains(event.kind) ?? true && event.actor == actor ?? event.actor
                                        && event.at >= from ?? 0 && event.at < before ?? .max
                                }
                                let found = try await Self.pages(of: owner, filter, from: pool)
                                #expect(found == expected.map(\.number).reversed(), "\(owner), \(filter)")
                            }
                        }
                    }
                }
            }
        }
    }

    /// All pages of seven events.
    private static func pages(of owner: JobStore.Owner, _ filter: AuditLog.Filter, from pool: PostgresPool) async throws
        -> [Int]
    {
        var found: [Int] = []
        var cursor: AuditLog.Cursor?
        repeat {
            let last = cursor
            let page = try await api(pool) { try await AuditLog().list(owner, filter, after: last, limit: 7, on: $0) }
            found += page.compactMap { $0.reason.flatMap { Int($0) } }
            cursor = page.last.map { AuditLog.Cursor(at: Int($0.at.microseconds), id: $0.id) }
        } while cursor != nil
        return found
    }

    @Test("A list has the same jobs, in the same order, for each owner, state and size of a page")
    func jobs() async throws {
        try await TestDatabase.with { database in
            // Workbooks of every fourth job that has one have expired by the clock.
            let states: [JobState] = [.succeeded, .failed, .expired, .cancelled, .queued, .succeeded, .running]
            let rows = (1...56).map { number in
                (number: number, tenant: ["1", "2", "1"][number % 3], state: states[number % 7], isOverdue: number % 4 == 0)
            }
            try await database.execute(
                rows.map { Self.insert($0.number, $0.tenant, $0.state, $0.isOverdue) }.joined(separator: "; "))
            let pool = database.pool()
            let owners: [(JobStore.Owner, (String) -> Bool)] = [
                (.anyone(ofTenants: nil), { _ in true }), (.anyone(ofTenants: ["2"]), { $0 == "2" }),
                (.anyone(ofTenants: ["2", "1", "2", "none"]), { _ in true }), (.anyone(ofTenants: ["none"]), { _ in false }),
                (.labelled("s1"), { $0 == "1" }), (.actor(tenantKey: "1", actorKey: "a"), { $0 == "1" }),
            ]
            let wanted: [[JobState]] =
                [[], [.failed, .cancelled], [.queued, .expired], [.succeeded, .expired], [.running, .succeeded]]
                + JobState.allCases.map { [$0] }
            for (owner, isOwn) in owners {
                for states in wanted {
                    let expected = rows.reversed().filter { row in
                        isOwn(row.tenant)
                            && (states.isEmpty
                                || states.contains(row.state == .succeeded && row.isOverdue ? .expired : row.state))
                    }
                    var found: [Int] = []
                    var before: JobID?
                    repeat {
                        let last = before
                        let page = try await api(pool) {
                            try await JobStore().list(owner: owner, states: states, before: last, limit: 5, on: $0)
                        }
                        found += page.compactMap { Int($0.actorEmail) }
                        before = page.last?.id
                    } while before != nil
                    #expect(found == expected.map(\.number), "\(owner), \(states)")
                }
            }
        }
    }

    private static func insert(_ number: Int, _ tenant: String, _ state: JobState, _ isOverdue: Bool) -> String {
        let hasResult = state == .succeeded || state == .expired
        let hasRun = hasResult || state == .running
        let values: [(String, String)] = [
            ("id", "'018f0000-0000-7000-8000-0000000000\(number + 10)'"), ("tenant_key", "'\(tenant)'"),
            ("tenant_slug", "'s\(tenant)'"), ("actor_key", "'a'"), ("actor_email", "'\(number)'"), ("options", "'{}'"),
            ("state", "'\(state.rawValue)'"), ("epoch", hasRun ? "1" : "0"),
            ("archive_epoch", state == .succeeded ? "1" : "NULL"),
            ("started_at", hasRun ? "now()" : "NULL"), ("finished_at", state.isFinal ? "now()" : "NULL"),
            ("cancel_requested_at", state == .cancelled ? "now()" : "NULL"),
            ("error_kind", state == .failed ? "'k'" : "NULL"),
            ("error_message", state == .failed ? "'m'" : "NULL"), ("rows", hasResult ? "1" : "NULL"),
            ("sheets", hasResult ? "1" : "NULL"), ("size", hasResult ? "1" : "NULL"),
            ("sha256", hasResult ? "sha256('x')" : "NULL"), ("file_date", hasResult ? "now()" : "NULL"),
            ("expires_at", hasResult ? "now() + interval '\(isOverdue ? "-1" : "7") d'" : "NULL"),
            ("scope_digest", hasResult ? "'x'" : "NULL"), ("worker", state == .running ? "gen_random_uuid()" : "NULL"),
            ("deadline_at", state == .running ? "now() + interval '1 h'" : "NULL"),
        ]
        return """
            INSERT INTO adminexport.job (\(values.map(\.0).joined(separator: ", "))) VALUES (\(values.map(\.1).joined(separator: ", ")))
            """
    }
}
