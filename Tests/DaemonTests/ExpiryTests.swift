import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

/// Workbooks that expire while no worker runs.
@Suite(.timeLimit(.minutes(10))) struct ExpiryTests {
    private static let owner = ServiceProcess.owner
    private static let past = "expires_at = now() - interval '1 s'"

    /// Makes exports, and serves them without a worker, so that no sweep runs.
    private func served(
        _ count: Int, _ body: (ServiceProcess, [Job]) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            try await database.execute(SmallTenant.sql)
            try await TemporaryFolder.with { folder in
                let maker = try ServiceProcess.start(database, folder)
                try await maker.waitUntilServing()
                var jobs: [Job] = []
                for _ in 1...count { jobs.append(try await maker.export()) }
                maker.process.terminate()
                await maker.process.end()
                let service = try ServiceProcess.start(
                    database, folder, environment: ["ADMINEXPORT_WORKERS": "0"], archives: maker.archives)
                defer { service.process.terminate() }
                try await service.waitUntilServing()
                try await body(service, jobs)
            }
        }
    }

    private func kinds(_ client: Client, _ job: Job) async -> [String?] {
        var kinds: [String?] = []
        for encoding in [ExportOpen.Encoding.identity, .zstd] {
            kinds.append(
                await failure { _ = try await client.open(Self.owner, job: job.id, encoding: encoding) }?.kind)
        }
        kinds.append(
            await failure {
                _ = try await client.call(ExportRead.self, .init(actor: Self.owner, job: job.id, offset: 0, length: 1))
            }?.kind)
        return kinds
    }

    @Test("Every method refuses an overdue workbook and shows its job as expired; a workbook on hold is delivered")
    func noWorker() async throws {
        try await served(3) { service, jobs in
            let client = try service.client()
            let (due, held, fresh) = (jobs[0], jobs[1], jobs[2])
            _ = try await client.call(ServiceHold.self, .init(job: held.id, on: true))
            #expect(await kinds(client, due) == [nil, nil, nil])
            try await service.database.execute(
                "UPDATE adminexport.job SET \(Self.past) WHERE id IN ('\(due.id)', '\(held.id)')")
            // A connection that has read the workbook before is refused as well.
            #expect(await kinds(client, due) == ["expired", "expired", "expired"])
            for job in [held, fresh] { #expect(await kinds(client, job) == [nil, nil, nil]) }

            for actor in [Self.owner, nil] {
                let job = try await client.call(ExportGet.self, .init(actor: actor, job: due.id)).job
                #expect(job.state == .expired && job.revision == due.revision && job.rows == due.rows)
                let waited = try await client.call(ExportWait.self, .init(actor: actor, job: due.id, timeoutMs: 60_000)).job
                #expect(waited.state == .expired)
                func listed(_ states: [Job.State]) async throws -> Set<String> {
                    let page = try await client.call(ExportList.self, .init(actor: actor, states: states)).jobs
                    #expect(states.isEmpty || page.allSatisfy { states.contains($0.state) })
                    return Set(page.map(\.id))
                }
                #expect(try await listed([.succeeded]) == [held.id, fresh.id])
                #expect(try await listed([.expired]) == [due.id])
                #expect(try await listed([.expired, .queued]) == [due.id])
                #expect(try await listed([.succeeded, .expired]) == Set(jobs.map(\.id)))
                #expect(try await listed([.failed]) == [])
            }

            let hold = await failure { _ = try await client.call(ServiceHold.self, .init(job: due.id, on: true)) }
            #expect(hold?.kind == "expired")
            #expect(try await client.call(ExportDelete.self, .init(actor: Self.owner, job: due.id)).job.state == .expired)
            // An overdue workbook expires as soon as its hold is released.
            #expect(try await client.call(ServiceHold.self, .init(job: held.id, on: false)).job.state == .expired)
            #expect(await kinds(client, held) == ["expired", "expired", "expired"])
            #expect(
                try await service.database.text("SELECT count(*) FROM adminexport.job WHERE state = 'succeeded'") == "3",
                "a sweep has run")
        }
    }

    @Test("prune expires the row of an overdue workbook and records that its archive is removed")
    func sweptLater() async throws {
        try await served(1) { service, jobs in
            try await service.database.execute("UPDATE adminexport.job SET \(Self.past)")
            let pruned = try await Programs.run(
                "adminexportd", ["prune"],
                environment: [
                    "ADMINEXPORT_DATABASE_URL": service.database.url(), "ADMINEXPORT_ARCHIVES": service.archives,
                ])
            #expect(pruned.status == 0, "\(pruned)")
            let row = "SELECT state || coalesce(archive_epoch::text, '') FROM adminexport.job"
            #expect(try await service.database.text(row) == "expired")
            #expect(
                try await service.client().call(ExportGet.self, .init(actor: Self.owner, job: jobs[0].id)).job.revision
                    == jobs[0].revision + 1)
        }
    }
}
