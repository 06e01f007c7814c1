import AdminExportAPI
import Foundation
import Synchronization
import Testing

@testable import AdminExportClient

@Suite(.timeLimit(.minutes(10))) struct ReconnectingClientTests {
    /// The service's action on a request of one connection.
    private enum Step {
        /// Ends the connection without an answer, as kill −9 does.
        case cut
        /// Ends the connection in the middle of the answer.
        case cutAnswer
        /// Ends the connection before it reads the request.
        case refuse
        case error(Int, String)
        case result(String)
    }

    /// Simulates a service: each connection takes the next list of steps, one step for each request.
    private final class Script: Sendable {
        private let state: Mutex<(connections: [[Step]], methods: [String])>

        init(_ connections: [[Step]]) {
            state = Mutex((connections, []))
        }

        /// Methods that were called, in order.
        var methods: [String] { state.withLock { $0.methods } }

        func connect() throws -> Client {
            let steps = try state.withLock { state in
                guard !state.connections.isEmpty else { throw ClientError(.unreachable, "nobody is there") }
                return state.connections.removeFirst()
            }
            if steps.isEmpty { throw ClientError(.unreachable, "nobody is there yet") }
            var pair: [Int32] = [0, 0]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0 else {
                throw ClientError(.unreachable, "no pair")
            }
            let peer = pair[1]
            let thread = Thread { [self] in serve(peer, steps) }
            thread.start()
            return Client(connected: pair[0])
        }

        private func serve(_ peer: Int32, _ steps: [Step]) {
            defer { close(peer) }
            for step in steps {
                if case .refuse = step { return }
                guard let line = Self.line(peer), let request = try? JSONDecoder().decode(JSONValue.self, from: line),
                    case .integer(let id)? = request["id"], case .string(let method)? = request["method"]
                else { return }
                state.withLock { $0.methods.append(method) }
                switch step {
                case .cut, .refuse: return
                case .cutAnswer: return Self.send(peer, "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"res")
                case .error(let code, let kind):
                    Self.send(
                        peer,
                        "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"error\":{\"code\":\(code),\"message\":\"m\",\"data\":{\"kind\":\"\(kind)\",\"retryable\":true}}}\n"
                    )
                case .result(let result): Self.send(peer, "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":\(result)}\n")
                }
            }
            // Waits until the client closes the connection.
            _ = Self.line(peer)
        }

        private static func line(_ peer: Int32) -> Data? {
            var line = Data()
            var byte: UInt8 = 0
            while read(peer, &byte, 1) == 1 {
                if byte == UInt8(ascii: "\n") { return line }
                line.append(byte)
            }
            return nil
        }

        private static func send(_ peer: Int32, _ text: String) {
            let bytes = Array(text.utf8)
            _ = Foundation.send(peer, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }
    }

    private static let actor = ActorName(tenant: "acme", administrator: "a")
    private static let id = "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b"

    private static func job(_ state: String, revision: Int = 1) -> String {
        #"{"job":{"id":"\#(id)","tenant":"acme","requestedBy":"a","includeDisabled":false,"includeReferences":false,"state":"\#(state)","revision":\#(revision),"progress":{"rowsDone":0,"rowsTotal":null},"queuePosition":null,"cancelRequested":false,"createdAt":"2026-11-25T09:30:00.000Z","startedAt":null,"finishedAt":null,"expiresAt":null,"fileName":null,"size":null,"sha256":null,"rows":null,"sheets":null,"warnings":[],"error":null}}"#
    }

    private static func part(_ text: String, at offset: Int, eof: Bool) -> Step {
        .result(#"{"offset":\#(offset),"data":"\#(Data(text.utf8).base64EncodedString())","size":6,"eof":\#(eof)}"#)
    }

    private func client(_ connections: [[Step]], retryTimeout: Duration = .seconds(20)) throws -> (
        ReconnectingClient, Script
    ) {
        let script = Script(connections)
        return (try ReconnectingClient(retryTimeout: retryTimeout) { try script.connect() }, script)
    }

    @Test("A repeatable call is sent again, however its connection ends")
    func again() async throws {
        let done = Step.result(Self.job("succeeded"))
        for lost: [[Step]] in [
            [[.cut]], [[.cutAnswer]], [[.refuse]], [[.error(-32000, "shutting-down"), .cut]],
            [[.error(-32001, "overloaded"), done]],
            [[.cut], [], [], [.cut], [.refuse]], [[.cut], [.error(1007, "unavailable"), done]],
        ] {
            let (client, script) = try client(lost + [[done]])
            let job = try await client.call(ExportGet.self, .init(actor: Self.actor, job: Self.id)).job
            #expect(job.state == .succeeded && Set(script.methods) == ["export.get"], "\(lost)")
        }
    }

    @Test("A start is sent again only if it has an idempotency key")
    func start() async throws {
        let (keyed, first) = try client([[.cut], [.result(Self.job("queued"))]])
        _ = try await keyed.call(ExportStart.self, .init(actor: Self.actor, idempotencyKey: "k"))
        #expect(first.methods == ["export.start", "export.start"])
        let (plain, second) = try client([[.cut], [.result(Self.job("queued"))]])
        let error = await failure { _ = try await plain.call(ExportStart.self, .init(actor: Self.actor)) }
        #expect(error?.code == .connectionLost && second.methods == ["export.start"])
    }

    @Test(
        "An error of the service on the first connection is passed on without a second request",
        arguments: [
            (1001, "permission-denied"), (1002, "not-found"), (1003, "not-ready"), (1004, "conflict"),
            (1005, "quota-exceeded"),
            (1006, "expired"), (1007, "unavailable"), (-32602, "invalid-params"), (-32603, "internal-error"),
            (-32601, "method-not-found"),
        ])
    func final(_ code: Int, _ kind: String) async throws {
        let (client, script) = try client([[.error(code, kind), .result(Self.job("queued"))]])
        let error = await failure { _ = try await client.call(ExportGet.self, .init(actor: Self.actor, job: Self.id)) }
        #expect(error?.kind == kind && script.methods.count == 1)
    }

    @Test("The client reports a service as unreachable if it does not return in time, or if the first connection fails")
    func lost() async throws {
        let (client, _) = try client([[.cut]], retryTimeout: .milliseconds(300))
        let error = await failure { _ = try await client.call(ExportGet.self, .init(actor: Self.actor, job: Self.id)) }
        #expect(error?.code == .unreachable)
        let never = await failure { _ = try self.client([]) }
        #expect(never?.code == .unreachable)
    }

    @Test("The client follows an export to its end across lost connections")
    func finish() async throws {
        let (client, script) = try client([
            [.result(Self.job("queued")), .cut],
            [.error(1007, "unavailable"), .result(Self.job("running", revision: 2)), .cutAnswer],
            [.result(Self.job("succeeded", revision: 3))],
        ])
        let seen = Mutex<[Int]>([])
        let job = try await client.finish(Self.actor, job: Self.id) { job in seen.withLock { $0.append(job.revision) } }
        #expect(job.state == .succeeded && seen.withLock { $0 } == [1, 2, 3])
        #expect(script.methods.first == "export.get" && script.methods.filter { $0 == "export.get" }.count == 1)
    }

    @Test("A download delivers each byte once and in order across lost connections")
    func download() async throws {
        let (client, _) = try client([
            [.cut], [Self.part("ab", at: 0, eof: false), .cutAnswer], [.cut],
            [Self.part("cd", at: 2, eof: false), .error(-32000, "shutting-down")],
            [Self.part("ef", at: 4, eof: true)],
        ])
        let data = Mutex(Data())
        try await client.download(Self.actor, job: Self.id, inParts: true) { part in data.withLock { $0 += part } }
        #expect(data.withLock { $0 } == Data("abcdef".utf8))
    }

    @Test("An error that the consumer of the bytes throws ends the download and is passed on unchanged")
    func ownError() async throws {
        let (client, script) = try client([[Self.part("ab", at: 0, eof: false)], [Self.part("cd", at: 2, eof: true)]])
        let error = await failure {
            try await client.download(Self.actor, job: Self.id, inParts: true) { _ in
                throw ClientError(.connectionLost, "my own")
            }
        }
        #expect(error?.message == "my own" && script.methods.count == 1)
    }

    private func failure(_ body: () async throws -> Void) async -> ClientError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? ClientError
        }
    }
}
