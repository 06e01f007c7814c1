@testable import JSONRPC
private import Foundation
private import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct ConnectionTests {
    /// Methods: `echo` returns its params; `fail` throws; `hold` waits for its cancellation; `ping` is a control method; `fat`
    /// returns 100,000 bytes; `file` returns an attachment; `watch` opens a subscription that notifies 1, 2 and 3 and ends;
    /// `feed` opens one that `unfeed` ends.
    private static func dispatcher() -> Dispatcher<Int> {
        Dispatcher(
            [
                .init(name: "echo") { params, _, _ in
                    guard params?.kind != .array else { throw RPCError.positionalParams }
                    return Outcome(params.map { Array($0.bytes) } ?? Array("{}".utf8))
                },
                .init(name: "fail") { _, _, _ in throw JSONFault(offset: 7, reason: "secret") },
                .init(name: "hold", traits: [.long, .alone]) { _, _, _ in
                    try await Task.sleep(for: .seconds(3_600))
                    return Outcome([])
                },
                .init(name: "ping", traits: .control) { _, session, _ in
                    Outcome(Array("{\"session\":\(session)}".utf8))
                },
                .init(name: "fat") { _, _, _ in
                    Outcome(Array("{\"x\":\"\(String(repeating: "x", count: 100_000))\"}".utf8))
                },
                .init(name: "file") { _, _, _ in Outcome(Array("{}".utf8), attachments: ["file"]) },
                .init(name: "watch") { _, _, subscriptions in
                    let subscription = try subscriptions.open()
                    return Outcome(Array("{\"id\":\"\(subscription.id)\"}".utf8)) { _ in
                        for number in 1...3 { subscription.notify("told", Array("{\"n\":\(number)}".utf8)) }
                        subscription.end()
                    }
                },
                .init(name: "feed") { _, _, subscriptions in
                    let subscription = try subscriptions.open()
                    return Outcome(Array("{\"id\":\"\(subscription.id)\"}".utf8))
                },
                .init(name: "unfeed", traits: .control) { params, _, subscriptions in
                    subscriptions.end("s1")
                    return Outcome(params.map { Array($0.bytes) } ?? [])
                },
            ]
        ) { _, _ in .internalError }
    }

    private func serve(
        _ limits: ConnectionLimits = ConnectionLimits(),
        _ body: (PipeTransport, Connection, inout AsyncStream<String>.Iterator) async throws -> Void
    ) async throws {
        let transport = PipeTransport()
        let connection = Connection(transport: transport, dispatcher: Self.dispatcher(), session: 42, limits: limits)
        let running = Task { await connection.run() }
        var replies = transport.replies.makeAsyncIterator()
        try await body(transport, connection, &replies)
        transport.end()
        connection.cancelAll()
        _ = await running.value
    }

    @Test(
        "Each message gets the reply of JSON-RPC 2.0 and our stricter rules, and the connection continues",
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
            (#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}"#, #""id":1,"error":{"code":-32602"#),
            (#"{"jsonrpc":"2.0","id":1,"method":"echo","params":1}"#, #""id":1,"error":{"code":-32600"#),
            (#"{"jsonrpc":"2.0","id":1,"method":"echo","params":null}"#, #""id":1,"result":{}"#),
            (#"{"\u006asonrpc":"2.\u0030","id":-0,"method":"echo"}"#, #""id":-0,"result":{}"#),
            (
                #"[{"jsonrpc":"2.0","id":"A","method":"echo"},{"jsonrpc":"2.0","id":"\u0041","method":"echo"}]"#,
                #"[{"jsonrpc":"2.0","id":"A","result":{}},{"jsonrpc":"2.0","id":null,"error":{"code":-32600"#
            ),
            (
                #"[{"jsonrpc":"2.0","id":1,"method":"echo"},{"jsonrpc":"2.0","id":"1","method":"echo"}]"#,
                #"{"jsonrpc":"2.0","id":"1","result":{}}]"#
            ),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"a\":\"\u{2028}\"}}", #"{"a":"\u2028"}"#),
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

    @Test("Notifications get no reply, even if they are wrong")
    func notifications() async throws {
        try await serve { transport, _, replies in
            transport.send(#"{"jsonrpc":"2.0","method":"none"}"# + "\n" + #"[{"jsonrpc":"2.0","method":"fail"}]"# + "\n")
            transport.send(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"# + "\n")
            #expect(await replies.next()?.contains(#""id":1"#) == true)
        }
    }

    @Test("Requests beyond the window wait or are refused; control requests run; a cancellation makes room")
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

    @Test("A peer may use an id again as soon as it has the reply")
    func sameID() async throws {
        try await serve { transport, _, replies in
            for _ in 0..<2_000 {
                transport.send(#"{"jsonrpc":"2.0","id":1,"method":"echo"}"# + "\n")
                #expect(await replies.next() == #"{"jsonrpc":"2.0","id":1,"result":{}}"# + "\n")
            }
        }
    }

    @Test("A connection that stops ends long requests and refuses new ones, each with the error shutting-down")
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

    @Test("A line that is too long gets one error, and the next request is served")
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

    @Test("Parked requests that are cancelled get their replies before the connection ends", arguments: 1...20)
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
        _ = await connection.run()
        var replies = transport.replies.makeAsyncIterator()
        for _ in 1...24 { #expect(await replies.next()?.contains("-32800") == true) }
    }

    @Test("After the end of the input, the connection answers the requests in flight")
    func halfClose() async throws {
        let transport = PipeTransport()
        let connection = Connection(
            transport: transport, dispatcher: Self.dispatcher(), session: 1, limits: ConnectionLimits())
        transport.send(#"{"jsonrpc":"2.0","id":1,"method":"echo"}"# + "\n")
        transport.end()
        _ = await connection.run()
        var replies = transport.replies.makeAsyncIterator()
        #expect(await replies.next()?.contains(#""id":1,"result""#) == true)
    }

    @Test("A control request does not wait for a batch")
    func batchBesideControl() async throws {
        try await serve { transport, _, replies in
            let many = (1...32).map { #"{"jsonrpc":"2.0","id":\#($0),"method":"echo"}"# }.joined(separator: ",")
            transport.pause()
            transport.send("[\(many)]\n" + #"{"jsonrpc":"2.0","id":"p","method":"ping"}"# + "\n")
            transport.resume()
            var both = [await replies.next() ?? "", await replies.next() ?? ""]
            both.sort { $0.count < $1.count }
            #expect(both[0].contains(#""id":"p","result""#) && both[1].contains(#""id":32,"result""#))
        }
    }

    @Test("A batch whose replies exceed the limit of bytes does not run its remaining requests")
    func batchReplies() async throws {
        var limits = ConnectionLimits()
        limits.batchReplies = 150_000
        try await serve(limits) { transport, _, replies in
            let four = (1...4).map { #"{"jsonrpc":"2.0","id":\#($0),"method":"fat"}"# }.joined(separator: ",")
            transport.send("[\(four)]\n")
            let reply = await replies.next() ?? ""
            #expect(reply.contains(#""id":2,"result""#) && reply.contains(#""id":3,"error":{"code":-32001"#))
            #expect(reply.count < 210_000)
        }
    }

    @Test("While output exceeds the budget the connection reads nothing, and answers everything when the peer reads again")
    func outputBudget() async throws {
        try await serve { transport, connection, replies in
            transport.pause()
            for id in 1...20 { transport.send(#"{"jsonrpc":"2.0","id":\#(id),"method":"fat"}"# + "\n") }
            for id in 1...5_000 { transport.send("nonsense \(id)\n") }
            // The output is bounded by the budget and the replies of the requests that ran when it was reached.
            while connection.waitingBytes < 256 * 1024 { await Task.yield() }
            for _ in 0..<10_000 { await Task.yield() }
            #expect(connection.waitingBytes < 256 * 1024 + 21 * 100_100)
            #expect(connection.state.withLock { $0.stalls.isWaiting })
            transport.resume()
            var seen = 0
            for _ in 1...5_020 where await replies.next() != nil { seen += 1 }
            #expect(seen == 5_020)
        }
    }

    @Test("An attachment is sent with its own reply and no other")
    func attachments() async throws {
        try await serve { transport, _, replies in
            for id in 1...3 {
                transport.send(#"{"jsonrpc":"2.0","id":\#(id),"method":"\#(id == 2 ? "file" : "echo")"}"# + "\n")
                let reply = await replies.next() ?? ""
                #expect(reply.contains("\"id\":\(id)") && reply.hasSuffix("+file") == (id == 2))
            }
        }
    }

    @Test("Notifications follow the reply of their subscription, and the last one is always sent")
    func subscriptions() async throws {
        try await serve { transport, _, replies in
            transport.send(#"{"jsonrpc":"2.0","id":1,"method":"watch"}"# + "\n")
            #expect(await replies.next()?.contains(#""result":{"id":"s1"}"#) == true)
            var last = ""
            repeat { last = await replies.next() ?? "end" } while !last.contains(#""n":3"#) && last != "end"
            #expect(last == #"{"jsonrpc":"2.0","method":"told","params":{"n":3}}"# + "\n")
        }
    }

    @Test("Subscriptions are limited, one that ends makes room, and the end of the connection waits for them")
    func subscriptionLimit() async throws {
        var limits = ConnectionLimits()
        limits.subscriptions = 2
        let transport = PipeTransport()
        let connection = Connection(transport: transport, dispatcher: Self.dispatcher(), session: 1, limits: limits)
        let running = Task { await connection.run() }
        var replies = transport.replies.makeAsyncIterator()
        for id in 1...2 {
            transport.send(#"{"jsonrpc":"2.0","id":\#(id),"method":"feed"}"# + "\n")
            #expect(await replies.next()?.contains("\"s\(id)\"") == true)
        }
        transport.send(#"{"jsonrpc":"2.0","id":3,"method":"feed"}"# + "\n")
        #expect(await replies.next()?.contains(#""id":3,"error":{"code":-32001"#) == true)
        transport.send(#"{"jsonrpc":"2.0","id":4,"method":"unfeed"}"# + "\n")
        #expect(await replies.next()?.contains(#""id":4,"result""#) == true)
        transport.send(#"{"jsonrpc":"2.0","id":5,"method":"feed"}"# + "\n")
        #expect(await replies.next()?.contains("\"s3\"") == true)
        transport.end()
        #expect(!connection.isIdle)
        connection.stop()
        _ = await running.value
    }

    private static let ping = #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#
    private static let pretty = "{\r\n  \"jsonrpc\": \"2.0\",\n  \"id\": 1,\n  \"method\": \"ping\"\n}\r\n"

    /// The complete input of a peer, and a part of each line of output, in any order.
    private static let endings: [(String, [String])] = [
        (ping, ["ends with a newline"]), (ping + "\n" + ping, [#""result""#, "ends with a newline"]),
        (ping + "\n \t\r", [#""result""#]), ("Content-Length: 40\r\n\r\n" + ping, [#""framing":"headers""#]),
        ("Content-Length: 40\r\n\r\n\(ping)Content-Length: 40\r\n\r\n" + ping, [#""framing":"headers""#]),
        (ping + "\0" + ping + "\0", [#""framing":"nul""#]), ("40:\(ping),40:\(ping),", [#""framing":"netstring""#]),
        (
            "40:\(ping),\n40:\(ping),\n" + ping + "\n40:\(ping),",
            [#""framing":"netstring""#, #""result""#, #""framing":"netstring""#]
        ),
        (pretty, ["single bracket"]), (pretty + ping + "\n", ["single bracket", #""result""#]),
        (pretty + pretty, ["single bracket", "single bracket"]), ("{\n\"jsonrpc\": \"2.0\"", ["single bracket"]),
        ("[\n" + ping + "\n]\n", ["single bracket", #""result""#, "-32700"]),
        ("[\n[" + ping + "]\n", ["single bracket", #""result""#]), ("[\n[1]\n]\n", ["single bracket"]),
    ]

    @Test(
        "A peer without lines gets one error, and a whole request is served", arguments: endings.indices, [1, 5, 1_000])
    func lastLine(_ index: Int, _ step: Int) async {
        let (text, expected) = Self.endings[index]
        let transport = PipeTransport()
        let connection = Connection(
            transport: transport, dispatcher: Self.dispatcher(), session: 42, limits: ConnectionLimits())
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: step) {
            transport.send(bytes: Array(bytes[start..<min(bytes.count, start + step)]))
        }
        transport.end()
        _ = await connection.run()
        var replies = await transport.allReplies()
        #expect(replies.count == expected.count, "\(replies)")
        for part in expected {
            let found = replies.firstIndex { $0.contains(part) }
            #expect(found != nil, "\(part) is not among \(replies)")
            if let found { replies.remove(at: found) }
        }
    }

    @Test("A peer with an unfinished line gets one error, even if the connection refuses the line twice")
    func unfinished() async throws {
        try await serve { transport, connection, replies in
            transport.send("{\"jsonrpc\":")
            while !connection.state.withLock({ $0.stalls.isWaiting }) { await Task.yield() }
            connection.refuseUnfinishedLine()
            connection.refuseUnfinishedLine()
            #expect(await replies.next()?.contains("ends with a newline") == true)
            transport.send("1\n" + Self.ping + "\n")
            #expect(await replies.next()?.contains(#""result""#) == true)
        }
    }

    @Test("The replies do not depend on how the input is cut", arguments: [1, 2, 3, 7, 64])
    func anyCut(_ step: Int) async throws {
        let lines = [
            #"{"jsonrpc":"2.0","id":1,"method":"echo","params":{"é":"\ud83d\ude00"}}"#, "nonsense", "", " \t\r",
            #"[{"jsonrpc":"2.0","id":2,"method":"echo"},7]"#, #"{"jsonrpc":"2.0","id":3,"method":"none"}"# + "\r",
            "{\"é\":\u{FEFF}}", #"{"jsonrpc":"2.0","method":"echo"}"#, #"{"jsonrpc":"2.0","id":4,"method":"ping"}"#,
        ]
        let bytes = Array((lines.joined(separator: "\n") + "\nrest").utf8)
        func replies(_ step: Int) async -> [String] {
            let transport = PipeTransport()
            let connection = Connection(
                transport: transport, dispatcher: Self.dispatcher(), session: 42, limits: ConnectionLimits())
            for start in stride(from: 0, to: bytes.count, by: step) {
                transport.send(bytes: Array(bytes[start..<min(bytes.count, start + step)]))
            }
            transport.end()
            _ = await connection.run()
            return await transport.allReplies().sorted()
        }
        let whole = await replies(bytes.count)
        // The last line has no end, and gets an error.
        #expect(whole.count == 7 && whole.contains { $0.contains("ends with a newline") })
        #expect(await replies(step) == whole)
    }
}
