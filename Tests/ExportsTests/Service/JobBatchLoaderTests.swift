import Postgres
import Testing
import TestSupport

@testable import Directory
@testable import Exports

/// Loads jobs for many callers at once.
@Suite(.timeLimit(.minutes(10))) struct JobBatchLoaderTests {
    private func start(_ pool: PostgresPool, actor: String = "1", email: String = "owner@acme.example") async throws
        -> JobRecord
    {
        let request = JobStore.Request(
            tenantKey: "1", tenantSlug: "acme", actorKey: actor, actorEmail: email, options: "{}", idempotency: nil)
        return try await pool.withTransaction(role: DatabaseRole.api) { connection in
            try await JobStore().enqueue(
                request, JobStore.Limits(queued: 100), peer: CallingProcess(uid: 1, gid: 1, pid: 1), on: connection
            ).job
        }
    }

    private func request(
        _ job: JobID, tenant: String = "acme", email: String = "owner@acme.example"
    ) -> JobBatchLoader.Request {
        JobBatchLoader.Request(
            tenant: tenant, email: email, grant: TenantGrant(name: "export", tenants: .all), job: job)
    }

    /// Runs the body with the jobs' database, the directory's, which may be the same, and a loader that uses both.
    private static func with(
        apart: Bool, connections: Int = 2,
        _ body: (_ jobs: PostgresPool, _ directory: TestDatabase, JobBatchLoader) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let pool = database.pool(size: connections)
            let contract = DirectoryContract()
            guard apart else {
                try await database.execute(SmallTenant.sql)
                try await contract.load(on: database.connect())
                let directory = DirectoryDatabase(jobs: pool, own: nil, contract: contract)
                return try await body(pool, database, JobBatchLoader(pool: pool, directory: directory))
            }
            // A statement cannot join tables of the two databases.
            try await database.execute("DROP SCHEMA directory CASCADE")
            try await TestDatabase.with { other in
                try await other.execute(SmallTenant.sql)
                let connection = try await other.connect()
                try await contract.load(on: connection)
                let directory = DirectoryDatabase(jobs: pool, own: other.pool(size: connections), contract: contract)
                #expect(try await directory.locate(from: connection))
                try await body(pool, other, JobBatchLoader(pool: pool, directory: directory))
            }
        }
    }

    @Test("Each of many concurrent requests gets its own result, from one database or from two", arguments: [false, true])
    func crowd(apart: Bool) async throws {
        try await Self.with(apart: apart) { pool, directory, loader in
            try await directory.execute(
                "INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id) VALUES (500, 1, 'Twin', 'asia@acme.example', 3)"
            )
            var ids: [JobID] = []
            for _ in 0..<12 { ids.append(try await start(pool).id) }
            let others = try await start(pool, actor: "2", email: "europe@acme.example").id
            // More requests than one statement takes.
            try await withThrowingTaskGroup(of: Void.self) { group in
                let count = ids.count
                for round in 0..<150 {
                    let id = ids[round % count]
                    group.addTask {
                        let job = try await loader.job(request(id))
                        #expect(job.id == id && job.queuePosition == round % count + 1)
                    }
                    group.addTask {
                        await #expect(throws: QueueError.notFound) { try await loader.job(request(others)) }
                        await #expect(throws: QueueError.notFound) {
                            try await loader.job(request(id, tenant: "globex", email: "owner@globex.example"))
                        }
                        await #expect(throws: DirectoryError.denied(.unknownTenant)) {
                            try await loader.job(request(id, tenant: "nowhere"))
                        }
                        await #expect(throws: DirectoryError.denied(.unknownAdministrator)) {
                            try await loader.job(request(id, email: "OWNER@acme.example"))
                        }
                        await #expect(throws: DirectoryError.denied(.ambiguousActor)) {
                            try await loader.job(request(id, email: "asia@acme.example"))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test(
        "An address names its only enabled account, which does not see the job of another account with this address",
        arguments: [false, true])
    func twins(apart: Bool) async throws {
        try await Self.with(apart: apart) { pool, database, loader in
            try await database.execute(
                "INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id, status) VALUES (500, 1, 'Twin', 'owner@acme.example', 1, 'disabled')"
            )
            let first = try await start(pool).id
            let second = try await start(pool, actor: "500").id
            func enable(_ ids: String) async throws {
                try await database.execute(
                    """
                    UPDATE directory.administrator SET status = CASE WHEN id IN (\(ids)) THEN 'enabled' ELSE 'disabled' END
                    WHERE id IN (1, 500)
                    """)
            }
            #expect(try await loader.job(request(first)).id == first)
            await #expect(throws: QueueError.notFound) { try await loader.job(request(second)) }
            try await enable("500")
            #expect(try await loader.job(request(second)).id == second)
            await #expect(throws: QueueError.notFound) { try await loader.job(request(first)) }
            for ids in ["1, 500", "NULL"] {
                try await enable(ids)
                await #expect(throws: DirectoryError.denied(.ambiguousActor)) { try await loader.job(request(first)) }
            }
            // An account that a view shows twice counts as one account.
            try await database.execute(
                """
                DELETE FROM directory.administrator WHERE id = 500;
                ALTER TABLE directory.administrator RENAME TO account;
                CREATE VIEW directory.administrator AS SELECT * FROM directory.account UNION ALL SELECT * FROM directory.account;
                GRANT SELECT ON directory.administrator TO adminexport_api
                """)
            #expect(try await loader.job(request(first)).id == first)
        }
    }

    @Test(
        "A caller with a grant for a tenant's key finds the jobs of this tenant under any slug",
        arguments: [false, true])
    func keys(apart: Bool) async throws {
        try await Self.with(apart: apart) { pool, directory, loader in
            let id = try await start(pool).id
            func ask(_ tenant: String, _ tenants: [TenantName]) async throws -> JobID {
                try await loader.job(
                    JobBatchLoader.Request(
                        tenant: tenant, email: "owner@acme.example",
                        grant: TenantGrant(name: "export", tenants: .some(tenants)), job: id)
                ).id
            }
            #expect(try await ask("acme", [.key("1")]) == id)
            #expect(try await ask("acme", [.slug("globex"), .key("001")]) == id)
            // A tenant that does not exist causes the same error as a tenant that is not granted.
            for tenant in ["acme", "nowhere"] {
                await #expect(throws: TenantNotGranted(tenant: tenant, grant: "export")) {
                    try await ask(tenant, [.key("2")])
                }
            }
            await #expect(throws: DirectoryError.denied(.unknownTenant)) { try await ask("nowhere", [.slug("nowhere")]) }
            try await directory.execute("UPDATE directory.tenant SET slug = 'acme-' || id WHERE id = 1")
            #expect(try await ask("acme-1", [.key("1")]) == id)
            await #expect(throws: TenantNotGranted(tenant: "acme", grant: "export")) { try await ask("acme", [.key("1")]) }
        }
    }

    @Test(
        "A tenant that occurs twice is a fault of the directory, which only callers with a grant for this tenant learn",
        arguments: [false, true])
    func doubledTenants(apart: Bool) async throws {
        try await Self.with(apart: apart) { pool, directory, loader in
            let id = try await start(pool).id
            func ask(_ tenants: TenantGrant.Tenants, email: String = "owner@acme.example") async throws {
                _ = try await loader.job(
                    JobBatchLoader.Request(
                        tenant: "acme", email: email, grant: TenantGrant(name: "export", tenants: tenants), job: id))
            }
            func show(_ rows: String) async throws {
                try await directory.execute(
                    """
                    DROP VIEW IF EXISTS directory.tenant;
                    CREATE VIEW directory.tenant AS \(rows);
                    GRANT SELECT ON directory.tenant TO adminexport_api
                    """)
            }
            try await directory.execute(
                """
                CREATE SCHEMA platform;
                GRANT USAGE ON SCHEMA platform TO PUBLIC;
                ALTER TABLE directory.tenant SET SCHEMA platform
                """)
            try await show("SELECT * FROM platform.tenant UNION ALL SELECT * FROM platform.tenant")
            for email in ["owner@acme.example", "stranger@acme.example"] {
                await #expect(throws: DirectoryError.doubled("tenant", "1")) { try await ask(.all, email: email) }
            }
            await #expect(throws: DirectoryError.doubled("tenant", "1")) { try await ask(.some([.key("1")])) }
            await #expect(throws: TenantNotGranted(tenant: "acme", grant: "export")) { try await ask(.some([.key("2")])) }
            for order in ["ASC", "DESC"] {
                try await show("SELECT id, 'acme'::text AS slug, name, time_zone FROM platform.tenant ORDER BY id \(order)")
                await #expect(throws: DirectoryError.doubled("tenant", "slug", "acme")) { try await ask(.all) }
                await #expect(throws: DirectoryError.doubled("tenant", "slug", "acme")) {
                    try await ask(.some([.slug("acme")]))
                }
                for key in ["1", "2", "3"] {
                    await #expect(throws: TenantNotGranted(tenant: "acme", grant: "export")) {
                        try await ask(.some([.key(key)]))
                    }
                }
            }
        }
    }

    @Test("A request that the database refuses does not fail the other requests")
    func poison() async throws {
        try await Self.with(apart: false) { pool, _, loader in
            let id = try await start(pool).id
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        let job = try await loader.job(request(id))
                        #expect(job.id == id)
                    }
                    group.addTask {
                        await #expect(throws: DirectoryError.denied(.unknownAdministrator)) {
                            try await loader.job(request(id, email: "a\0b"))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("A steady stream of requests does not keep the pool's only connection from its other users")
    func fairness() async throws {
        try await Self.with(apart: false, connections: 1) { pool, _, loader in
            let id = try await start(pool).id
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        while !Task.isCancelled { _ = try? await loader.job(request(id)) }
                    }
                }
                for _ in 0..<20 {
                    try await pool.withStatement(role: DatabaseRole.api) { _ = try await $0.query(Query("one", "SELECT 1")) }
                }
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    @Test("Cancelled requests end at once, and the other requests are answered")
    func cancellation() async throws {
        try await Self.with(apart: false, connections: 1) { pool, _, loader in
            let id = try await start(pool).id
            let staying = try await pool.withConnection { _ in
                // The pool's only connection is taken: the first request waits for it, and all others for the first.
                let first = Task { try await loader.job(request(id)) }
                let leaving = (0..<20).map { _ in Task { try await loader.job(request(id)) } }
                let staying = Task { try await loader.job(request(id)) }
                for task in leaving { task.cancel() }
                for task in leaving {
                    // One of these may have been the first request.
                    if case .success = await task.result { Issue.record("a request was answered without a connection") }
                }
                return [first, staying]
            }
            for task in staying { #expect(try await task.value.id == id) }
        }
    }
}
