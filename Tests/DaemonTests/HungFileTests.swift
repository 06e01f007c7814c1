import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

/// A file that hangs, as a client of the socket sees it.
@Suite(.timeLimit(.minutes(10)), .serialized) struct HungFileTests {
    private static let owner = ServiceProcess.owner

    private func archive(of job: Job, _ service: ServiceProcess) throws -> String {
        let files = FileManager.default.enumerator(atPath: service.archives)?.allObjects as? [String] ?? []
        return try service.archives + "/" + #require(files.first { $0.contains(job.id) && $0.hasSuffix(".zst") })
    }

    @Test("Reading or opening a FIFO in the place of an archive fails, and does not affect other exports")
    func fifo() async throws {
        try await ServiceProcess.with { service in
            let job = try await service.export()
            let other = try await service.export(ServiceProcess.europe)
            let path = try archive(of: job, service)
            try FileManager.default.removeItem(atPath: path)
            #expect(mkfifo(path, 0o640) == 0)
            let client = try service.client()
            for _ in 0..<20 {
                let read = await failure {
                    _ = try await client.call(ExportRead.self, .init(actor: Self.owner, job: job.id, offset: 0, length: 1))
                }
                #expect(read?.code == .service(code: 1007, kind: "unavailable") && read?.isRetryable == false)
                let opened = await failure { _ = try await client.open(Self.owner, job: job.id, encoding: .zstd) }
                #expect(opened?.code == .service(code: 1007, kind: "unavailable"))
            }
            let part = try await client.call(
                ExportRead.self, .init(actor: ServiceProcess.europe, job: other.id, offset: 0, length: 10))
            #expect(part.size == other.size)
            let health = try await client.call(ServiceHealth.self, NoMembers())
            #expect(health.status == .ok && health.stuckFileOperations == 0)
        }
    }

    @Test("A tenant whose slug is too long for the name of a directory gets its workbook")
    func longSlug() async throws {
        let slug = String(repeating: "é", count: 43)
        let sql = SmallTenant.sql + "; UPDATE directory.tenant SET slug = '\(slug)' WHERE slug = 'acme'"
        try await ServiceProcess.with(sql: sql) { service in
            let actor = ActorName(tenant: slug, administrator: Self.owner.administrator)
            let job = try await service.export(actor)
            #expect(job.state == .succeeded, "\(String(describing: job.error))")
            let part = try await service.client().call(
                ExportRead.self, .init(actor: actor, job: job.id, offset: 0, length: 10))
            #expect(part.size == job.size)
        }
    }

    /// Requests a part of a workbook, and cancels the request while the service processes it. Repeats this, also cancels a
    /// request that waits behind it, and prints the codes of the replies.
    private static let cancelling = """
        import json, socket, sys, time
        peer = socket.socket(socket.AF_UNIX); peer.connect(sys.argv[1]); peer.settimeout(8)
        lines = peer.makefile("rw")
        def send(**message): lines.write(json.dumps({"jsonrpc": "2.0", **message}) + "\\n"); lines.flush()
        actor = {"tenant": "acme", "administrator": "owner@acme.example"}
        codes = set()
        def cancel(id):
            send(method="$/cancelRequest", params={"id": id})
            reply = json.loads(lines.readline())
            assert reply["id"] == id
            codes.add(reply["error"]["code"])
        # More often than a user has threads.
        for round in range(10):
            send(id=1, method="export.read", params={"actor": actor, "job": sys.argv[2], "offset": 0, "length": 1})
            # The service answers later requests first, because this one hangs.
            for number in range(2, 4 if round else 12):
                send(id=number, method="export.get", params={"actor": actor, "job": sys.argv[2]})
                assert json.loads(lines.readline())["id"] == number
            if round == 9:
                send(id=20, method="export.read", params={"actor": actor, "job": sys.argv[2], "offset": 0, "length": 1})
                cancel(20)
            cancel(1)
        print(*codes)
        """

    @Test("While a file hangs, a cancelled request is answered at once, and other workbooks can be read")
    func hangs() async throws {
        try await TemporaryFolder.with { stops in
            try await ServiceProcess.with(environment: ["TEST_STOPS": stops]) { service in
                let job = try await service.export()
                let other = try await service.export(ServiceProcess.europe)
                let name = try #require(archive(of: job, service).split(separator: "/").last)
                let marker = "\(stops)/hang-\(name)"
                _ = FileManager.default.createFile(atPath: marker, contents: nil)
                defer { try? FileManager.default.removeItem(atPath: marker) }
                let client = try service.client()
                // While the file hangs, only the cancellation can cause the reply.
                let cancelled = try await Programs.run(
                    "/usr/bin/env", ["python3", "-c", Self.cancelling, service.socket, job.id])
                #expect(cancelled.status == 0 && cancelled.output == "-32800\n", "\(cancelled.errors)")
                let part = try await client.call(
                    ExportRead.self, .init(actor: ServiceProcess.europe, job: other.id, offset: 0, length: 10))
                #expect(part.size == other.size)
                // Without a cancellation, the reply reports that the file does not answer.
                let late = await failure {
                    _ = try await client.call(ExportRead.self, .init(actor: Self.owner, job: job.id, offset: 0, length: 1))
                }
                #expect(late?.code == .service(code: 1007, kind: "unavailable") && late?.isRetryable == true)
                try await eventually("health reports the file that hangs") {
                    let health = try await client.call(ServiceHealth.self, NoMembers())
                    return health.status == .degraded && (health.stuckFileOperations ?? 0) > 0
                        && health.storage.contains("do not return")
                }
                try FileManager.default.removeItem(atPath: marker)
                try await eventually("health is ok again") {
                    let health = try await client.call(ServiceHealth.self, NoMembers())
                    return health.status == .ok && health.stuckFileOperations == 0
                }
            }
        }
    }
}
