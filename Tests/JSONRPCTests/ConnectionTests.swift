@testable import JSONRPC
private import Foundation
private import Synchronization
import Testing

/// A transport whose two ends are queues in memory.
private struct PipeTransport: Transport {
    let inbound: AsyncStream<[UInt8]>
    let replies: AsyncStream<String>
    private let input: AsyncStream<[UInt8]>.Continuation
    private let output: AsyncStream<String>.Continuation

    init() {
        (inbound, input) = AsyncStream.makeStream()
        (replies, output) = AsyncStream.makeStream()
    }

    func write(_ bytes: ArraySlice<UInt8>) async throws {
        output.yield(String(decoding: bytes, as: UTF8.self))
    }

    func send(_ text: String) {
        input.yield(Array(text.utf8))
    }

    func end() {
        input.finish()
    }
}

@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
    /// Methods: `echo` gives its params back, `fail` throws, `hold` waits for its cancellation, `ping` is control.
    private static func dispatcher() -> Dispatcher<Int> {
        Dispatcher(
            [
                .init(name: "echo") { params, _ in Array(params) },
                .init(name: "fail") { _, _ in throw JSONFault(offset: 7, reason: "secret") },
                .init(name: "hold", isLong: true) { _, _ in
                    try await Task.sleep(for: .seconds(3_600))
                    return []
                },
                .init(name: "ping", isControl: true) { _, session in Array("{\"session\":\(session)}".utf8) },
            ]
        ) { _, _ in .internalError }
    }

    private func serve(
        _ limits: ConnectionLimits = ConnectionLimits(),
        _ body: (PipeTransport, Connection<Int, PipeTransport>, inout AsyncStream<String>.Iterator) async throws -> Void
    ) async throws {
        let transport = PipeTransport()
        let connection = Connection(transport: transport, dispatcher: Self.dispatcher(), session: 42, limits: limits)
        let running = Task { await connection.run() }
        var replies = transport.replies.makeAsyncIterator()
        try await body(transport, connection, &replies)
        transport.end()
        connection.cancelAll()
        await running.value
    }

    @Test(
        "Each message gets the reply that JSON-RPC 2.0 and our stricter rules ask for, and the connection lives on",
        arguments: [
            (#"{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":1}}"#, #"{"jsonrpc":"2.0","id":1,"result":{"a":1}}"#),
            (#"{"jsonrpc":"2.0","id":"x\u0041","method":"echo"}"#, #"{"jsonrpc":"2.0","id":"x\u0041","result":{}}"#),
            ("nonsense", #""id":null,"error":{"code":-32700"#), ("[]", #""id":null,"error":{"code":-32600"#),
            ("1", #""id":null,"error":{"code":-32600"#), ("null", #""id":null,"error":{"code":-32600"#),
            (#"{"id":1,"method":"echo"}"#, #""id":1,"error":{"code":-32600"#),
            (#"{"jsonrpc":"1.0","id":1,"method":"echo"}"#, #""id":1,"error":{"code":-32600"#),
            (#"{"jsonrpc":"2.0","id":null,"method":"echo"}"#, #""id":null,"error":{"code":-32600"#),
            (#"{"jsonrpc":"2.0","id":1.5,"method":"echo"}"#, #""id":null,"error":{"code":-32600"#),
            (#"{"jsonrpc":"2.0","id":{},"method":"echo"}"#, #""id":null,"error":{"code":-32600"#),
            (#"{"jsonrpc":"2.0","id":1}"#, #""id":1,"error":{"code":-32600"#),
            (#"{"jsonrpc":"2.0","id":1,"method":5}"#, #""id":1,"error":{"code":-32600"#),
            (#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}"#, #""id":1,"error":{"code":-32600"#),
            (#"{"jsonrpc":"2.0","id":1,"method":"echo","extra":1}"#, #""id":1,"error":{"code":-32600"#),
            (#"{"jsonrpc":"2.0","id":1,"method":"none"}"#, #""id":1,"error":{"code":-32601"#),
            (#"{"jsonrpc":"2.0","id":1,"method":"fail"}"#, #""id":1,"error":{"code":-32603"#),
            (#"[1,2]"#, #"[{"jsonrpc":"2.0","id":null,"error":{"code":-32600"#),
            (
                #"[{"jsonrpc":"2.0","id":1,"method":"echo"},{"jsonrpc":"2.0","method":"echo"},{"jsonrpc":"2.0","id":2,"method":"hold"}]"#,
                #"[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"error":{"code":-32600"#
            ),
        ])
    func replies(_ line: String, _ expected: String) async throws {
        try await serve { transport, _, replies in
            transport.send(line + "\n")
            #expect(await replies.next()?.contains(expected) == true)
            transport.send(#"{"jsonrpc":"2.0","id":"after","method":"ping"}"# + "\n")
            #expect(await replies.next() == #"{"jsonrpc":"2.0","id":"after","result":{"session":42}}"# + "\n")
        }
    }

    @Test("Notifications are never answered, not even wrong ones")
    func notifications() async throws {
        try await serve { transport, _, replies in
            transport.send(#"{"jsonrpc":"2.0","method":"none"}"# + "\n" + #"[{"jsonrpc":"2.0","method":"fail"}]"# + "\n")
            transport.send(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"# + "\n")
            #expect(await replies.next()?.contains(#""id":1"#) == true)
        }
    }

    @Test("Past the window requests are parked, past that refused; control passes, and a cancellation lets the next one in")
    func window() async throws {
        var limits = ConnectionLimits()
        limits.inFlight = 2
        limits.parked = 1
        try await serve(limits) { transport, _, replies in
            for id in 1...2 { transport.send(#"{"jsonrpc":"2.0","id":\#(id),"method":"hold"}"# + "\n") }
            transport.send(#"{"jsonrpc":"2.0","id":3,"method":"echo"}"# + "\n")
            transport.send(#"{"jsonrpc":"2.0","id":4,"method":"echo"}"# + "\n")
            #expect(await replies.next()?.contains(#""id":4,"error":{"code":-32001"#) == true)
            transport.send(#"{"jsonrpc":"2.0","id":1,"method":"echo"}"# + "\n")
            #expect(await replies.next()?.contains("duplicate-id") == true)
            transport.send(#"{"jsonrpc":"2.0","id":5,"method":"ping"}"# + "\n")
            #expect(await replies.next()?.contains(#""id":5,"result""#) == true)
            transport.send(#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"# + "\n")
            #expect(await replies.next()?.contains(#""id":1,"error":{"code":-32800"#) == true)
            #expect(await replies.next()?.contains(#""id":3,"result""#) == true)
        }
    }

    @Test("An id may be used again as soon as its reply has come")
    func sameID() async throws {
        try await serve { transport, _, replies in
            for _ in 0..<2_000 {
                transport.send(#"{"jsonrpc":"2.0","id":1,"method":"echo"}"# + "\n")
                #expect(await replies.next() == #"{"jsonrpc":"2.0","id":1,"result":{}}"# + "\n")
            }
        }
    }

    @Test("A service that stops ends what waits, refuses what comes, and says so")
    func stop() async throws {
        try await serve { transport, connection, replies in
            transport.send(
                #"{"jsonrpc":"2.0","id":1,"method":"hold"}"# + "\n" + #"{"jsonrpc":"2.0","id":2,"method":"ping"}"# + "\n")
            #expect(await replies.next()?.contains(#""id":2,"result""#) == true)
            connection.stop()
            #expect(await replies.next()?.contains(#""id":1,"error":{"code":-32000"#) == true)
            transport.send(#"{"jsonrpc":"2.0","id":3,"method":"echo"}"# + "\n")
            #expect(await replies.next()?.contains(#""id":3,"error":{"code":-32000"#) == true)
        }
    }

    @Test("A line that is too long costs one error and nothing else")
    func longLine() async throws {
        var limits = ConnectionLimits()
        limits.line = 100
        try await serve(limits) { transport, _, replies in
            transport.send(String(repeating: "x", count: 1_000))
            transport.send("\n" + #"{"jsonrpc":"2.0","id":1,"method":"ping"}"# + "\n")
            #expect(await replies.next()?.contains("line-too-long") == true)
            #expect(await replies.next()?.contains(#""id":1,"result""#) == true)
        }
    }

    @Test("Parked requests that are cancelled are answered before the end too", arguments: 1...20)
    func cancelledParked(_ round: Int) async throws {
        var limits = ConnectionLimits()
        limits.inFlight = 4
        let transport = PipeTransport()
        let connection = Connection(transport: transport, dispatcher: Self.dispatcher(), session: 1, limits: limits)
        for id in 1...24 { transport.send(#"{"jsonrpc":"2.0","id":\#(id),"method":"hold"}"# + "\n") }
        for id in 1...24 {
            transport.send(#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":\#(id)}}"# + "\n")
        }
        transport.end()
        await connection.run()
        var replies = transport.replies.makeAsyncIterator()
        for _ in 1...24 { #expect(await replies.next()?.contains("-32800") == true) }
    }

    @Test("The end of the input waits for what is in flight")
    func halfClose() async throws {
        let transport = PipeTransport()
        let connection = Connection(
            transport: transport, dispatcher: Self.dispatcher(), session: 1, limits: ConnectionLimits())
        transport.send(#"{"jsonrpc":"2.0","id":1,"method":"echo"}"# + "\n")
        transport.end()
        await connection.run()
        var replies = transport.replies.makeAsyncIterator()
        #expect(await replies.next()?.contains(#""id":1,"result""#) == true)
    }
}
