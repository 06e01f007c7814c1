import AdminExportAPI
import Foundation
import Sockets
import Testing

@testable import AdminExportClient

@Suite(.timeLimit(.minutes(10))) struct ClientTests {
    private static let actor = ActorName(tenant: "acme", administrator: "a@acme.example")

    /// The job from the example of `export.get`, with another state and revision.
    private static func job(_ state: String = "succeeded", revision: Int = 4) throws -> JSONValue {
        guard case .object(var job)? = ExportGet.description.examples[0].result["job"] else {
            throw CocoaError(.coderInvalidValue)
        }
        (job["state"], job["revision"]) = (.string(state), .integer(revision))
        return .object(job)
    }

    private func connect() throws -> (Client, ScriptedService) {
        let (service, descriptor) = try ScriptedService.pair()
        return (Client(connected: descriptor), service)
    }

    /// A descriptor from which a reader gets the text, and then the end of the file.
    private func pipe(_ text: String) -> Int32 {
        let pipe = Pipe()
        pipe.fileHandleForWriting.write(Data(text.utf8))
        return dup(pipe.fileHandleForReading.fileDescriptor)
    }

    private func failure(_ body: () async throws -> Void) async -> ClientError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? ClientError
        }
    }

    // MARK: Connections

    @Test("A path without a listening socket is unreachable, and the message names the path")
    func unreachable() throws {
        let folder = NSTemporaryDirectory() + "client-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data().write(to: URL(fileURLWithPath: folder + "/file"))
        for path in ["/missing", "/file", "/" + String(repeating: "x", count: 200)] {
            let error = #expect(throws: ClientError.self) { try Client(socket: folder + path) }
            #expect(error?.code == .unreachable, "\(path)")
        }
        let error = #expect(throws: ClientError.self) { try Client(socket: folder + "/missing") }
        #expect(error?.message.contains(folder + "/missing") == true)
    }

    @Test("When the connection is lost, all waiting calls, all watches and all later calls fail")
    func lost() async throws {
        let (client, service) = try connect()
        async let waiting = failure { _ = try await client.call(ServiceInfo.self, NoMembers()) }
        _ = try await service.request("service.info")
        async let watch = client.watch(Self.actor, job: "j")
        let request = try await service.request("export.watch")
        try service.answer(request, ["subscription": .string("s1"), "job": Self.job("running")] as JSONValue)
        let changes = try await watch.changes
        service.close()
        #expect(await waiting?.code == .connectionLost)
        #expect(await failure { for try await _ in changes {} }?.code == .connectionLost)
        #expect(!client.isOpen)
        #expect(await failure { _ = try await client.call(ServiceInfo.self, NoMembers()) }?.code == .connectionLost)
    }

    @Test("An error without an id fails the waiting call with its message and closes the connection")
    func refusedConnection() async throws {
        let (client, service) = try connect()
        async let waiting = failure { _ = try await client.call(ServiceInfo.self, NoMembers()) }
        _ = try await service.request("service.info")
        service.send(
            #"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"too many","data":{"kind":"overloaded","retryable":true}}}"#
        )
        let error = await waiting
        #expect(error?.code == .service(code: -32001, kind: "overloaded"))
        #expect(error?.message == "too many" && error?.isRetryable == true && !client.isOpen)
    }

    // MARK: Calls

    @Test("Responses that arrive out of order reach the calls that they belong to")
    func order() async throws {
        let (client, service) = try connect()
        async let first = client.call(ExportGet.self, .init(actor: Self.actor, job: "one")).job.revision
        let one = try await service.request("export.get")
        async let second = client.call(ExportGet.self, .init(actor: Self.actor, job: "two")).job.revision
        let two = try await service.request("export.get")
        #expect(one.params["job"] == "one" && two.params["job"] == "two" && one.id != two.id)
        try service.answer(two, ["job": Self.job(revision: 2)] as JSONValue)
        try service.answer(one, ["job": Self.job(revision: 1)] as JSONValue)
        #expect(try await first == 1)
        #expect(try await second == 2)
    }

    @Test("An error of the service keeps its code, kind, message and reason, and whether the call can be retried")
    func serviceError() async throws {
        let (client, service) = try connect()
        async let call = failure { _ = try await client.call(ExportGet.self, .init(actor: Self.actor, job: "j")) }
        let request = try await service.request("export.get")
        service.send(
            #"{"jsonrpc":"2.0","id":\#(request.id),"error":{"code":1001,"message":"denied","data":{"kind":"permission-denied","reason":"no-permission"}}}"#
        )
        let error = await call
        #expect(error?.code == .service(code: 1001, kind: "permission-denied") && error?.kind == "permission-denied")
        #expect(error?.reason == "no-permission" && error?.message == "denied" && error?.isRetryable == false)
        #expect(client.isOpen)
    }

    @Test("A call that times out fails alone, and its late response does not disturb the next call")
    func timeout() async throws {
        let (client, service) = try connect()
        let error = await failure { _ = try await client.call(ServiceInfo.self, NoMembers(), timeout: .milliseconds(20)) }
        #expect(error?.code == .timedOut && error?.isRetryable == true && client.isOpen)
        let late = try await service.request("service.info")
        async let next = client.call(ExportGet.self, .init(actor: Self.actor, job: "j")).job.state
        let request = try await service.request("export.get")
        try service.answer(late, JSONValue.object([:]))
        try service.answer(request, ["job": Self.job()] as JSONValue)
        #expect(try await next == .succeeded)
    }

    @Test("A cancelled task sends $/cancelRequest for its request")
    func cancellation() async throws {
        let (client, service) = try connect()
        let call = Task { try await client.call(ServiceInfo.self, NoMembers()) }
        let request = try await service.request("service.info")
        call.cancel()
        let notification = try await service.line()
        #expect(notification["method"] == "$/cancelRequest" && notification["params"]?["id"] == .integer(request.id))
        await #expect(throws: CancellationError.self) { try await call.value }
    }

    @Test("A result that does not match its schema, or a line that is not JSON, is a protocol violation")
    func violations() async throws {
        let (client, service) = try connect()
        async let call = failure { _ = try await client.call(ExportGet.self, .init(actor: Self.actor, job: "j")) }
        try service.answer(try await service.request("export.get"), ["job": "none"] as JSONValue)
        #expect(await call?.code == .protocolViolation)
        #expect(client.isOpen)
        async let other = failure { _ = try await client.call(ServiceInfo.self, NoMembers()) }
        _ = try await service.request("service.info")
        service.send("no JSON")
        #expect(await other?.code == .protocolViolation)
        #expect(!client.isOpen)
    }

    // MARK: Watches

    @Test("A watch delivers the notifications of its own subscription only, and ends with the final job")
    func watch() async throws {
        let (client, service) = try connect()
        async let watch = client.watch(Self.actor, job: "j")
        let request = try await service.request("export.watch")
        try service.answer(request, ["subscription": .string("s1"), "job": Self.job("running", revision: 1)] as JSONValue)
        let (job, changes) = try await watch
        #expect(job.state == .running)
        func notify(_ subscription: String, _ state: String, _ revision: Int) throws {
            let params =
                ["subscription": .string(subscription), "job": try Self.job(state, revision: revision)] as JSONValue
            let json = String(decoding: try JSONEncoder().encode(params), as: UTF8.self)
            service.send(#"{"jsonrpc":"2.0","method":"export.changed","params":\#(json)}"#)
        }
        var iterator = changes.makeAsyncIterator()
        try notify("s2", "failed", 9)
        try notify("s1", "running", 2)
        #expect(try await iterator.next()?.revision == 2)
        try notify("s1", "succeeded", 3)
        #expect(try await iterator.next()?.state == .succeeded)
        #expect(try await iterator.next() == nil)
    }

    @Test("If a watch is cancelled before its response, the client ends the subscription when the response arrives")
    func lateWatch() async throws {
        let (client, service) = try connect()
        let watch = Task { _ = try await client.watch(Self.actor, job: "j") }
        let request = try await service.request("export.watch")
        watch.cancel()
        #expect(try await service.line()["method"] == "$/cancelRequest")
        await #expect(throws: CancellationError.self) { try await watch.value }
        try service.answer(request, ["subscription": .string("s1"), "job": Self.job("running")] as JSONValue)
        #expect(try await service.request("export.unwatch").params["subscription"] == "s1")
    }

    // MARK: Workbooks

    private static func opened(_ size: Int) -> ExportOpen.Result {
        ExportOpen.Result(size: size, sha256: "ab", archiveSize: 1, fileName: "x.xlsx")
    }

    @Test("Each opened workbook uses the descriptor that arrived with its response")
    func descriptors() async throws {
        let (client, service) = try connect()
        for text in ["first", "second"] {
            async let open = client.open(Self.actor, job: text, offset: text == "first" ? 0 : 7)
            let request = try await service.request("export.open")
            #expect(request.params["offset"] == (text == "first" ? nil : 7))
            try service.answer(request, Self.opened(6), passing: pipe(text))
            let workbook = try await open
            #expect(try await workbook.read() == Data(text.utf8))
            #expect(try await workbook.read() == nil)
            #expect(workbook.size == 6 && workbook.details.fileName == "x.xlsx")
        }
    }

    @Test("A response without a descriptor, or with one that is neither a file nor a pipe, is a protocol violation")
    func wrongDescriptors() async throws {
        let (client, service) = try connect()
        async let missing = failure { _ = try await client.open(Self.actor, job: "j") }
        try service.answer(try await service.request("export.open"), Self.opened(1))
        #expect(await missing?.code == .protocolViolation)
        async let device = failure { _ = try await client.open(Self.actor, job: "j") }
        let request = try await service.request("export.open")
        try service.answer(request, Self.opened(1), passing: Foundation.open("/dev/null", O_RDONLY))
        #expect(await device?.code == .protocolViolation)
        #expect(client.isOpen)
    }

    @Test("A download continues in a new pipe at the byte where the last one ended, and delivers each byte once")
    func resume() async throws {
        let (client, service) = try connect()
        async let download = {
            var data = Data()
            try await client.download(Self.actor, job: "j") { data += $0 }
            return data
        }()
        for (text, offset) in [("ab", nil), ("", 2), ("cdef", 2)] as [(String, JSONValue?)] {
            let request = try await service.request("export.open")
            #expect(request.params["offset"] == offset)
            try service.answer(request, Self.opened(6), passing: pipe(text))
        }
        #expect(try await download == Data("abcdef".utf8))
    }

    @Test(
        "Without pipes, or after three empty pipes, a download continues in parts through the socket",
        arguments: [true, false])
    func parts(_ hasPipes: Bool) async throws {
        let (client, service) = try connect()
        async let download = {
            var data = Data()
            try await client.download(Self.actor, job: "j", from: 1, to: 4) { data += $0 }
            return data
        }()
        for _ in 0..<(hasPipes ? 3 : 1) {
            let request = try await service.request("export.open")
            if hasPipes {
                try service.answer(request, Self.opened(6), passing: pipe(""))
            } else {
                service.send(
                    #"{"jsonrpc":"2.0","id":\#(request.id),"error":{"code":-32601,"message":"m","data":{"kind":"method-not-found"}}}"#
                )
            }
        }
        for (text, offset) in [("bc", 1), ("d", 3)] {
            let request = try await service.request("export.read")
            #expect(request.params["offset"] == .integer(offset) && request.params["length"] == .integer(4 - offset))
            let data = Data(text.utf8).base64EncodedString()
            try service.answer(request, ExportRead.Result(offset: offset, data: data, size: 6, eof: false))
        }
        #expect(try await download == Data("bcd".utf8))
    }

    @Test(
        "A part with a wrong offset, an invalid encoding or too many bytes is a protocol violation",
        arguments: [(9, "YQ=="), (0, "!"), (0, "YWJj")])
    func wrongParts(_ offset: Int, _ data: String) async throws {
        let (client, service) = try connect()
        async let download = failure { try await client.downloadInParts(Self.actor, job: "j", to: 2) { _ in } }
        let request = try await service.request("export.read")
        try service.answer(request, ExportRead.Result(offset: offset, data: data, size: 3, eof: true))
        #expect(await download?.code == .protocolViolation)
    }
}
