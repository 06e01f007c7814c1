import Archive
import Directory
import Foundation
import Logging
import Postgres
import SystemPackage
import Testing
import TestSupport

@testable import Exports

/// Starts of a tenant while another transaction holds its turn.
@Suite(.timeLimit(.minutes(10))) struct StartTurnsTests {
    private func eventually(_ condition: () async throws -> Bool) async throws {
        while try await !condition() { try await Task.sleep(for: .milliseconds(5)) }
    }

    private func caller(_ tenant: String) -> ActorRequest {
        ActorRequest(
            tenant: tenant, email: "owner@\(tenant).example", grant: TenantGrant(name: "export", tenants: .all),
            peer: CallingProcess(uid: 1, gid: 1, pid: 1))
    }

    @Test("Starts of a tenant that wait leave connections to other requests, and a repeated start does not wait")
    func connections() async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            let contract = DirectoryContract()
            try await contract.load(on: database.connect())
            let pool = database.pool(size: 3)
            let logger = Logger(label: "test")
            let root = FileManager.default.temporaryDirectory.appending(path: "turns-\(UUID().uuidString)").path
            let service = ExportService(
                pool: pool, directory: DirectoryDatabase(jobs: pool, own: nil, contract: contract),
                disk: ArchiveDisk(store: ArchiveStore(root: FilePath(root))),
                transfers: Transfers(limits: { Transfers.Limits() }, logger: logger),
                watch: JobWatch(database: JobDatabase(pool: pool, role: DatabaseRole.api), logger: logger),
                trail: AuditWriter(logger: logger) { _ in }, bounds: { JobStore.Limits(queued: 100) },
                otherGroups: { .show })
            let acme = caller("acme")
            let options = try ExportOptions(json: #"{"includeDisabled": false, "includeReferences": false}"#)
            let first = try await service.start(acme, options: options, idempotencyKey: "first")
            let key = try #require(try await database.text("SELECT tenant_key FROM adminexport.job"))
            let others = try await database.connect().withTransaction { connection in
                try await connection.script(
                    "turn", "SELECT pg_advisory_xact_lock(\(JobStore.startLockClass), hashtext('\(key)'))")
                let others = (0..<8).map { _ in
                    Task { try await service.start(acme, options: options, idempotencyKey: nil).isReplayed }
                }
                // The allowed number of starts waits in the database.
                try await eventually {
                    try await database.text(
                        """
                        SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
                        WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
                        """) == "2"
                }
                #expect(try await service.list(.actor(caller("globex")), states: [], before: nil, limit: 1).isEmpty)
                let again = try await service.start(acme, options: options, idempotencyKey: "first")
                #expect(again.isReplayed && again.job.id == first.job.id)
                return others
            }
            // Each start succeeds or is refused as busy.
            for other in others {
                do { #expect(try await !other.value) } catch QueueError.busy {}
            }
        }
    }

    @Test("Places are passed on in order; waiting has a limit in number and in time, and can be cancelled")
    func places() async throws {
        let turns = StartTurns(places: 1, maxWaiting: 2, timeout: .seconds(60))
        let (order, continuation) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            try await turns.withPlace(of: "t") { _ in
                for number in 1...2 {
                    group.addTask { try await turns.withPlace(of: "t") { _ in _ = continuation.yield(number) } }
                    try await eventually { turns.waiting("t") == number }
                }
                await #expect(throws: QueueError.busy) { try await turns.withPlace(of: "t") { _ in } }
                try await turns.withPlace(of: "another") { _ in }
            }
            try await group.waitForAll()
        }
        continuation.finish()
        #expect(await order.reduce(into: []) { $0.append($1) } == [1, 2])

        try await turns.withPlace(of: "t") { _ in
            let cancelled = Task { try await turns.withPlace(of: "t") { _ in } }
            try await eventually { turns.waiting("t") == 1 }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
        }
        #expect(turns.count == 0)

        let brief = StartTurns(places: 1, timeout: .milliseconds(20))
        await #expect(throws: QueueError.busy) {
            try await brief.withPlace(of: "t") { _ in try await brief.withPlace(of: "t") { _ in } }
        }
        #expect(brief.count == 0)
    }
}
