@testable import JSONRPC
private import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct ByteAccountTests {
    @Test("An account takes bytes also from the accounts around it, or takes none; control requests have a reserve")
    func nested() throws {
        let service = ByteAccount(.service) { 100 }
        let user = ByteAccount(.user, within: service) { 80 }
        let one = ByteAccount(.connection, within: user) { 64 }
        let other = ByteAccount(.connection, within: user) { 64 }
        let first = HeldBytes(one)
        try first.take(64)
        #expect((one.held, user.held, service.held) == (64, 64, 64))
        #expect(throws: RPCError.overBudget(.connection, limit: 64)) { try first.take(1) }
        try first.take(8, isControl: true)
        let second = HeldBytes(other)
        #expect(throws: RPCError.overBudget(.user, limit: 80)) { try second.take(9) }
        try second.take(18, isControl: true)
        #expect(throws: RPCError.overBudget(.user, limit: 80)) { try second.take(1, isControl: true) }
        // Bytes that exist already are counted beyond the limit, and later bytes are refused.
        second.set(60)
        #expect((one.held, other.held, user.held, service.held) == (72, 60, 132, 132))
        #expect(first.fault(isControl: true) == .overBudget(.user, limit: 80))
        #expect(service.takePeak() == 132)
        second.set(0)
        #expect(service.takePeak() == 132 && service.takePeak() == 72)
    }

    @Test("Bytes are given back once, when the last reference to them is released")
    func givenBack() throws {
        let account = ByteAccount(.connection) { 1_000 }
        do {
            let held = HeldBytes(account)
            try held.take(10)
            let again = [held, held]
            #expect(account.held == 10 && again.count == 2)
            try held.change(to: 700)
            #expect(throws: RPCError.self) { try held.change(to: 1_001) }
            #expect(account.held == 700)
            try held.change(to: 5)
            #expect(account.held == 5)
        }
        #expect(account.held == 0)
    }

    @Test("The account reads its limit for each check")
    func limit() throws {
        let limit = Atomic(10)
        let account = ByteAccount(.connection) { limit.load(ordering: .relaxed) }
        let held = HeldBytes(account)
        try held.take(10)
        #expect(throws: RPCError.overBudget(.connection, limit: 10)) { try held.take(1) }
        limit.store(11, ordering: .relaxed)
        try held.take(1)
        limit.store(5, ordering: .relaxed)
        #expect(held.fault(isControl: true) == .overBudget(.connection, limit: 5))
    }

    @Test("The compact length counts white space within strings, but not between values")
    func compact() {
        let spaces = String(repeating: " ", count: 2_000)
        let texts = [
            "{\(spaces)}": 2, "{\"a\":\(spaces)1\n\t\r,\"b\"\(spaces):2}": 13, "{\"a\":\"\(spaces)\"}": 2_008,
            "{\"a\\\"\(spaces)\":\(spaces)1}": 2_009, "{\"a\\\\\"\(spaces):\"\(spaces)\"}": 2_010,
        ]
        for (text, length) in texts {
            #expect(JSONText.compactLength(Array(text.utf8)[...]) == length, "\(text.prefix(20))")
        }
    }
}

/// Checks that a connection keeps to its account of bytes.
@Suite(.timeLimit(.minutes(10))) struct ConnectionBytesTests {
    private static let mebibyte = 1024 * 1024

    /// Methods: `hold` retains its parameters and waits for its cancellation; `lazy` waits without parameters; `fat` and
    /// `large` return 100,000 bytes; `ping` is a control method.
    private static let dispatcher = Dispatcher<Int>(
        [
            .init(name: "hold", traits: .long) { _, _, _ in try await wait() },
            .init(name: "lazy", traits: .long) { params, _ in .init(decoded: params) { _ in try await wait() } },
            .init(name: "fat") { _, _, _ in Outcome(fat) },
            .init(name: "large", traits: .large) { _, _, _ in Outcome(fat) },
            .init(name: "ping", traits: .control) { _, _, _ in Outcome(Array("{}".utf8)) },
        ]
    ) { _, _ in .internalError }

    private static let fat = Array("{\"x\":\"\(String(repeating: "x", count: 100_000))\"}".utf8)

    private static func wait() async throws -> Outcome {
        try await Task.sleep(for: .seconds(3_600))
        return Outcome([])
    }

    /// Serves a connection whose account has this limit, and expects that no bytes are held afterwards.
    private func serve(
        bytes: Int, _ limits: ConnectionLimits = ConnectionLimits(),
        _ body: (PipeTransport, Connection, inout AsyncStream<String>.Iterator) async throws -> Void
    ) async throws {
        let account = ByteAccount(.connection) { bytes }
        do {
            let transport = PipeTransport()
            let connection = Connection(
                transport: transport, dispatcher: Self.dispatcher, session: 1, limits: limits, account: account)
            let running = Task { await connection.run() }
            var replies = transport.replies.makeAsyncIterator()
            try await body(transport, connection, &replies)
            transport.end()
            connection.cancelAll()
            _ = await running.value
        }
        while account.held != 0 { await Task.yield() }
    }

    private func call(_ id: Int, _ method: String, _ params: String = "{}") -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":\#(params)}"# + "\n"
    }

    @Test("A request that waits or runs holds only decoded parameters, without white space")
    func spaces() async throws {
        try await serve(bytes: Self.mebibyte) { transport, connection, replies in
            let spaces = String(repeating: " ", count: 100_000)
            for id in 1...40 { transport.send(call(id, "lazy", "{\(spaces)}")) }
            transport.send(call(99, "ping"))
            #expect(await replies.next()?.contains(#""id":99,"result""#) == true)
            #expect(connection.account.held < 500_000)
        }
    }

    @Test("A connection at its limit of bytes refuses requests at once, serves control requests, and recovers")
    func requests() async throws {
        try await serve(bytes: 2 * Self.mebibyte) { transport, connection, replies in
            let text = String(repeating: "x", count: Self.mebibyte - 100_000)
            for id in 1...8 { transport.send(call(id, "hold", "{\"a\":\"\(text)\"}")) }
            for _ in 3...8 { #expect(await replies.next()?.contains(#"-32001,"message""#) == true) }
            #expect(connection.account.held <= 2 * Self.mebibyte)
            transport.send(call(99, "ping"))
            #expect(await replies.next()?.contains(#""id":99,"result""#) == true)
            transport.send(#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"# + "\n")
            #expect(await replies.next()?.contains(#""id":1,"error":{"code":-32800"#) == true)
            while connection.account.held > 3 * Self.mebibyte / 2 { await Task.yield() }
            transport.send(call(10, "hold", "{\"a\":\"\(text)\"}") + call(99, "ping"))
            #expect(await replies.next()?.contains(#""id":99,"result""#) == true)
        }
    }

    @Test("A batch counts its requests and replies, and requests without room are not run")
    func batches() async throws {
        try await serve(bytes: 400_000) { transport, _, replies in
            transport.pause()
            let batch = (1...32).map { call($0, "fat").dropLast() }.joined(separator: ",")
            transport.send("[\(batch)]\n")
            transport.resume()
            let reply = await replies.next() ?? ""
            #expect(reply.contains(#""id":1,"result""#) && reply.contains(#""id":3,"error":{"code":-32001"#))
            #expect(reply.count < 300_000)
        }
    }

    @Test("A large request is refused while there is no room for its reply")
    func large() async throws {
        try await serve(bytes: Self.mebibyte) { transport, _, replies in
            transport.send(call(1, "large") + "[\(call(2, "large").dropLast())]\n" + call(9, "ping"))
            var seen: [String] = []
            for _ in 1...3 { seen.append(await replies.next() ?? "") }
            #expect(seen.count { $0.contains("-32001") } == 2 && seen.contains { $0.contains(#""id":9,"result":{}"#) })
        }
    }

    @Test("A line without room is dropped up to its end with one error, and the next line is served")
    func line() async throws {
        var limits = ConnectionLimits()
        limits.line = 4 * Self.mebibyte
        try await serve(bytes: Self.mebibyte, limits) { transport, connection, replies in
            let part = String(repeating: "x", count: 16 * 1024)
            for _ in 0..<200 { transport.send(part) }
            #expect(await replies.next()?.contains("-32001") == true)
            transport.send("\n" + call(1, "ping"))
            #expect(await replies.next()?.contains(#""id":1,"result""#) == true)
            while connection.account.held > 0 { await Task.yield() }
        }
    }

    @Test("Unread replies are counted until the peer reads them")
    func replies() async throws {
        try await serve(bytes: 8 * Self.mebibyte) { transport, connection, replies in
            transport.pause()
            for id in 1...4 { transport.send(call(id, "fat")) }
            while connection.waitingBytes < 400_000 { await Task.yield() }
            #expect(connection.account.held >= 400_000)
            transport.resume()
            for _ in 1...4 { _ = await replies.next() }
            while connection.account.held > 0 { await Task.yield() }
        }
    }
}
