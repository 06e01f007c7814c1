import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

/// Callers that watch jobs.
@Suite(.timeLimit(.minutes(10)), .serialized) struct WatchTests {
    private static let owner = ServiceProcess.owner

    @Test("A watch delivers changes up to the final state, with rising revisions, and then ends")
    func watch() async throws {
        try await ServiceProcess.with(environment: ["ADMINEXPORT_WORKERS": "0"]) { service in
            let client = try service.client()
            let job = try await client.call(ExportStart.self, .init(actor: Self.owner)).job
            let (first, changes) = try await client.watch(Self.owner, job: job.id)
            #expect(first.state == .queued && first.revision == job.revision)
            let worker = try Programs.make(
                "adminexportd", ["work", "--archives", service.archives],
                environment: ["ADMINEXPORT_DATABASE_URL": service.database.url()])
            worker.standardError = FileHandle.nullDevice
            try worker.run()
            defer { worker.terminate() }
            var seen = [first]
            for try await change in changes { seen.append(change) }
            #expect(seen.last?.state == .succeeded)
            #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.revision <= $1.revision })
            // A watch of a job in its final state delivers no change.
            let (last, none) = try await client.watch(Self.owner, job: job.id)
            #expect(last == seen.last)
            for try await change in none { Issue.record("the watch delivered \(change.state)") }
        }
    }

    @Test("A watch delivers an unchanged job again within 20 seconds, and ends after the final state")
    func heartbeat() async throws {
        try await ServiceProcess.with(environment: ["ADMINEXPORT_WORKERS": "0"]) { service in
            let client = try service.client()
            let job = try await client.call(ExportStart.self, .init(actor: Self.owner)).job
            let (_, changes) = try await client.watch(Self.owner, job: job.id)
            let start = ContinuousClock.now
            var iterator = changes.makeAsyncIterator()
            let again = try await iterator.next()
            #expect(again == job)
            #expect(start.duration(to: .now) < .seconds(20))
            let cancelled = try await client.call(ExportCancel.self, .init(actor: Self.owner, job: job.id)).job
            #expect(cancelled.state == .cancelled && cancelled.revision == job.revision + 1)
            #expect(try await iterator.next()?.state == .cancelled)
            #expect(try await iterator.next() == nil)
        }
    }

    @Test("The first revision is 1, a deletion raises it by one, and a query does not change it")
    func revisions() async throws {
        try await ServiceProcess.with { service in
            let client = try service.client()
            let started = try await client.call(ExportStart.self, .init(actor: Self.owner)).job
            #expect(started.revision == 1)
            let done = try await client.finish(Self.owner, job: started.id)
            // In between, the job was claimed, renewed as often as its lease requires, and ended.
            let expired = try await client.call(ExportDelete.self, .init(actor: Self.owner, job: started.id)).job
            #expect(expired.revision == done.revision + 1)
            let again = try await client.call(ExportGet.self, .init(actor: Self.owner, job: started.id)).job
            #expect(again == expired)
        }
    }

    @Test("Two hundred watched jobs need one query in each poll interval")
    func oneQuery() async throws {
        let settings = ["ADMINEXPORT_WORKERS": "0", "ADMINEXPORT_LIMITS_QUEUED_PER_TENANT": "500"]
        try await ServiceProcess.with(environment: settings) { service in
            // Each of twenty connections watches ten jobs.
            var clients: [Client] = []
            var streams: [AsyncThrowingStream<Job, any Error>] = []
            var streamed: [String] = []
            for _ in 1...20 {
                let client = try service.client()
                for _ in 1...10 {
                    let job = try await client.call(ExportStart.self, .init(actor: Self.owner)).job
                    streams.append(try await client.watch(Self.owner, job: job.id).changes)
                    streamed.append(job.id)
                }
                clients.append(client)
            }
            try await service.database.execute(
                "ALTER DATABASE \(service.database.name) SET log_statement = 'all'; ALTER DATABASE \(service.database.name) SET log_min_messages = 'log'"
            )
            // Only new connections of the service get the settings.
            try await service.database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(service.database.name)' AND pid <> pg_backend_pid()"
            )
            try await eventually("the service is connected again") {
                await failure { _ = try await clients[0].call(ExportList.self, .init(actor: Self.owner)) } == nil
            }
            let log = TestDatabase.socketDirectory + "/log"
            func count() -> Int {
                let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
                return text.components(separatedBy: "AS known (id, revision)").count - 1
            }
            let start = ContinuousClock.now
            let before = count()
            try await eventually("the watch continues") { count() - before >= 12 }
            let queries = count() - before
            let ticks = start.duration(to: .now) / .milliseconds(250)
            #expect(Double(queries) <= ticks + 2, "\(queries) queries in \(ticks) ticks")
            // A watch outlives the database's connections.
            _ = try await clients[0].call(ExportCancel.self, .init(actor: Self.owner, job: streamed[0]))
            var last: Job?
            for try await change in streams[0] { last = change }
            #expect(last?.id == streamed[0] && last?.state == .cancelled)
            withExtendedLifetime(streams) {}
        }
    }
}
