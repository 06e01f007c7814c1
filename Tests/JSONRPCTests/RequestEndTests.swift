@testable import JSONRPC
private import Synchronization
import Testing

/// Checks that no state remains after a request, in whichever way it ends.
@Suite(.timeLimit(.minutes(10))) struct RequestEndTests {
    /// Methods: `echo` returns its params; `hold` waits for its cancellation; `held` too, and is allowed in a batch; `fat` is
    /// large and returns 100,000 bytes; `stuck` is large and waits for its cancellation; `fail` throws; `ping` is a control
    /// method.
    private static let dispatcher = Dispatcher<Int>(
        [
            .init(name: "echo") { params, _, _ in Outcome(params.map { Array($0.bytes) } ?? Array("{}".utf8)) },
            .init(name: "hold", traits: [.long, .alone]) { _, _, _ in try await wait() },
            .init(name: "held", traits: .long) { _, _, _ in try await wait() },
            .init(name: "fat", traits: .large) { _, _, _ in
                Outcome(Array("{\"x\":\"\(String(repeating: "x", count: 100_000))\"}".utf8))
            },
            .init(name: "stuck", traits: .large) { _, _, _ in try await wait() },
            .init(name: "fail") { _, _, _ in throw RPCError.internalError },
            .init(name: "ping", traits: .control) { _, _, _ in Outcome(Array("{}".utf8)) },
        ]
    ) { _, _ in .internalError }

    private static func wait() async throws -> Outcome {
        try await Task.sleep(for: .seconds(3_600))
        return Outcome([])
    }

    private static func call(_ id: String, _ method: String) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)"}"#
    }

    private static func cancel(_ id: String) -> String {
        #"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":\#(id)}}"#
    }

    /// The input, and the number of lines of output. Afterwards no request with an id from 1 to 9 may be known.
    private static let ends: [(String, lines: [String], replies: Int)] = [
        ("answered", [call("1", "echo")], 1),
        ("failed", [call("1", "fail")], 1),
        ("cancelled while it runs", [call("1", "hold"), cancel("1")], 1),
        ("cancelled with its id written otherwise", [call(#""A""#, "hold"), cancel(#""\u0041""#)], 1),
        ("cancelled and unknown", [cancel("1"), cancel("2"), "[\(cancel("3"))]"], 0),
        ("cancelled twice", [call("1", "hold"), cancel("1"), cancel("1")], 1),
        ("cancelled after its answer", [call("1", "echo"), cancel("1"), cancel("1")], 1),
        ("unknown method", [call("1", "none"), cancel("1")], 1),
        ("refused in a batch, cancelled before", ["[\(cancel("1")),\(call("1", "hold"))]"], 1),
        ("refused in a batch, cancelled behind", ["[\(call("1", "hold")),\(cancel("1"))]"], 1),
        ("cancelled in its batch before", ["[\(cancel("2")),\(call("1", "echo")),\(call("2", "echo"))]"], 1),
        ("an id twice in a batch", ["[\(call("1", "echo")),\(call("1", "echo")),\(cancel("1"))]"], 1),
        (
            "left over in a batch",
            ["[\(cancel("4"))," + (1...4).map { call("\($0)", "fat") }.joined(separator: ",") + "]"], 1
        ),
        (
            "over the window, cancelled in the same batch",
            [call("1", "hold"), call("2", "hold"), call("3", "echo")]
                + ["[\(cancel("4")),\(call("4", "echo")),\(cancel("4"))]"] + [cancel("3"), cancel("2"), cancel("1")], 4
        ),
        (
            "parked and cancelled",
            [call("1", "hold"), call("2", "hold"), call("3", "echo"), cancel("3"), cancel("1"), cancel("2")], 3
        ),
        (
            "parked in a batch and cancelled",
            [call("1", "hold"), call("2", "hold"), "[\(call("3", "held")),\(call("4", "echo"))]"]
                + [cancel("3"), cancel("1"), cancel("2")], 3
        ),
        (
            "large and cancelled behind another",
            [call("1", "stuck"), call("2", "fat"), cancel("2"), cancel("2"), cancel("1")], 2
        ),
        (
            "large in a batch and cancelled behind another",
            [call("1", "stuck"), "[\(call("2", "fat")),\(call("3", "fat"))]", cancel("2"), cancel("1")], 2
        ),
    ]

    @Test("A large request that waits for its turn is cancelled at once, and its id is free")
    func largeInTurn() async throws {
        let transport = PipeTransport()
        let connection = Connection(
            transport: transport, dispatcher: Self.dispatcher, session: 1, limits: ConnectionLimits())
        let running = Task { await connection.run() }
        var replies = transport.replies.makeAsyncIterator()
        transport.send(Self.call("1", "stuck") + "\n")
        while connection.state.withLock({ $0.inFlight.running.isEmpty }) { await Task.yield() }
        for _ in 0..<3 {
            // The first request is still unanswered, so these wait for it.
            transport.send(Self.call("2", "fat") + "\n" + Self.cancel("2") + "\n" + Self.cancel("2") + "\n")
            let reply = await replies.next()
            #expect(reply?.contains("\"id\":2,\"error\":{\"code\":-32800") == true, "\(reply ?? "none")")
        }
        transport.send(Self.call("3", "fat") + "\n" + Self.cancel("1") + "\n")
        let first = await replies.next()
        #expect(first?.contains("\"id\":1,\"error\":{\"code\":-32800") == true)
        // The cancelled requests have no further output.
        #expect(await replies.next()?.hasPrefix("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\"") == true)
        while !connection.isIdle { await Task.yield() }
        #expect(connection.state.withLock { $0.inFlight.count } == (0, 0))
        transport.end()
        _ = await running.value
    }

    @Test("No state of an ended request remains, and its id can be used again", arguments: ends.indices)
    func end(_ index: Int) async throws {
        let (name, lines, count) = Self.ends[index]
        var limits = ConnectionLimits()
        limits.inFlight = 2
        limits.parked = 1
        limits.batchReplies = 150_000
        let transport = PipeTransport()
        let connection = Connection(transport: transport, dispatcher: Self.dispatcher, session: 1, limits: limits)
        let running = Task { await connection.run() }
        var replies = transport.replies.makeAsyncIterator()
        for line in lines { transport.send(line + "\n") }
        for _ in 0..<count { _ = await replies.next() }
        while !connection.isIdle { await Task.yield() }
        #expect(connection.state.withLock { $0.inFlight.count } == (0, 0), "\(name)")
        // A cancellation that is still remembered would end these requests.
        for id in (1...9).map({ "\($0)" }) + [#""A""#] {
            transport.send(Self.call(id, "echo") + "\n")
            #expect(await replies.next()?.contains("\"id\":\(id),\"result\"") == true, "\(name): \(id)")
        }
        transport.end()
        _ = await running.value
        #expect(connection.state.withLock { $0.inFlight.count } == (0, 0), "\(name)")
    }

    @Test("A connection that stops while requests arrive is idle as soon as all are answered", arguments: 1...100)
    func stop(_ round: Int) async throws {
        var limits = ConnectionLimits()
        limits.inFlight = 4
        // Long enough that only the test ends the connection.
        limits.stopLinger = .seconds(3_600)
        limits.stopTimeout = .seconds(3_600)
        let transport = PipeTransport()
        let connection = Connection(transport: transport, dispatcher: Self.dispatcher, session: 1, limits: limits)
        let running = Task { await connection.run() }
        let stopping = Task {
            for _ in 0..<round { await Task.yield() }
            connection.stop()
        }
        for id in 1...24 { transport.send(Self.call("\(id)", id % 3 == 0 ? "hold" : "echo") + "\n") }
        var replies = transport.replies.makeAsyncIterator()
        for _ in 1...24 { #expect(await replies.next() != nil) }
        await stopping.value
        while !connection.isIdle { await Task.yield() }
        #expect(connection.state.withLock { $0.inFlight.count } == (0, 0))
        transport.end()
        _ = await running.value
    }

    @Test("A connection whose peer is gone keeps no request that ran or waited")
    func gone() async throws {
        var limits = ConnectionLimits()
        limits.inFlight = 2
        let transport = PipeTransport()
        let connection = Connection(transport: transport, dispatcher: Self.dispatcher, session: 1, limits: limits)
        let running = Task { await connection.run() }
        for id in 1...6 { transport.send(Self.call("\(id)", "hold") + "\n") }
        transport.send("[\(Self.call("7", "echo")),\(Self.call("8", "held"))]\n" + Self.call("p", "ping") + "\n")
        var replies = transport.replies.makeAsyncIterator()
        transport.send(Self.call("9", "ping") + "\n")
        _ = await replies.next()
        connection.cancelAll()
        transport.end()
        _ = await running.value
        #expect(connection.state.withLock { $0.inFlight.count } == (0, 0))
        #expect(connection.isIdle)
    }
}
