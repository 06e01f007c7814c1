@testable import JSONRPC
import Synchronization
import Testing

/// Checks how the service ends a connection.
@Suite(.timeLimit(.minutes(10))) struct ConnectionEndTests {
    private static func dispatcher() -> Dispatcher<Int> {
        Dispatcher([
            .init(name: "fat") { _, _, _ in Outcome(Array("\"\(String(repeating: "x", count: 200_000))\"".utf8)) },
            .init(name: "hold", traits: [.long]) { _, _, _ in
                try await Task.sleep(for: .seconds(3_600))
                return Outcome([])
            },
            // It ignores its cancellation for a moment.
            .init(name: "slow") { _, _, _ in
                for _ in 0..<1_000 { await Task.yield() }
                return Outcome(Array("1".utf8))
            },
        ]) { _, _ in .internalError }
    }

    private static func call(_ id: Int, _ method: String) -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)"}"# + "\n"
    }

    private func connection(
        _ transport: PipeTransport, _ change: (inout ConnectionLimits) -> Void
    ) -> Connection {
        var limits = ConnectionLimits()
        change(&limits)
        return Connection(transport: transport, dispatcher: Self.dispatcher(), session: 1, limits: limits)
    }

    @Test("A peer that leaves a line unfinished gets an error, and the connection ends")
    func unfinishedLine() async {
        let transport = PipeTransport()
        let connection = connection(transport) { $0.partialLine = .milliseconds(20) }
        transport.send("{\"jsonrpc\":")
        #expect(await connection.run() == .unfinishedLine)
        let replies = await transport.allReplies()
        #expect(replies.count == 1 && replies[0].contains("ends with a newline"))
        #expect(transport.isClosed)
    }

    @Test("A peer that leaves a line unfinished and reads nothing cannot delay the end")
    func unfinishedAndUnread() async {
        let transport = PipeTransport()
        let connection = connection(transport) { limits in
            limits.partialLine = .milliseconds(20)
            limits.errorDelivery = .milliseconds(20)
        }
        transport.pause()
        transport.send("{\"jsonrpc\":")
        #expect(await connection.run() == .unfinishedLine)
        #expect(transport.isClosed)
    }

    @Test("A connection ends if its peer reads nothing, and keeps no request that ran or waited")
    func notReading() async {
        let transport = PipeTransport()
        let connection = connection(transport) { $0.unreadOutput = .milliseconds(50) }
        transport.pause()
        for id in 1...3 { transport.send(Self.call(id, "fat")) }
        transport.send(Self.call(4, "hold"))
        #expect(await connection.run() == .notReading)
        #expect(transport.isClosed && connection.isIdle)
        #expect(connection.state.withLock { $0.inFlight.count } == (0, 0))
    }

    @Test("A peer that reads a part of the output before each limit keeps its connection")
    func readingSlowly() async {
        let transport = PipeTransport()
        let connection = connection(transport) { $0.unreadOutput = .milliseconds(20) }
        transport.readsSlowly.store(true, ordering: .relaxed)
        transport.pause()
        transport.send(Self.call(1, "fat"))
        let running = Task { await connection.run() }
        // Four samples take as long as the limit.
        while transport.samples < 20, !transport.isClosed { await Task.yield() }
        transport.resume()
        transport.end()
        #expect(await running.value == nil)
        #expect(await transport.allReplies().count == 1)
    }

    @Test("A stop answers running requests, cancels long ones, refuses new ones, and closes the connection")
    func stop() async {
        let transport = PipeTransport()
        let connection = connection(transport) { limits in
            limits.stopLinger = .milliseconds(1)
            limits.stopTimeout = .seconds(3_600)
        }
        transport.send(Self.call(1, "slow") + Self.call(2, "hold"))
        let running = Task { await connection.run() }
        // The slow request may have its reply already; the long one has none before the stop.
        while connection.state.withLock({ $0.inFlight.waiting.isEmpty }) { await Task.yield() }
        connection.stop()
        #expect(await running.value == nil)
        let replies = await transport.allReplies()
        #expect(replies.contains { $0.contains(#""id":1,"result":1"#) })
        #expect(replies.contains { $0.contains(#""id":2,"error""#) })
        #expect(transport.isClosed)
    }

    @Test("A stop of an idle connection closes it and sends nothing")
    func idleStop() async {
        let transport = PipeTransport()
        let connection = connection(transport) { $0.stopLinger = .milliseconds(1) }
        connection.stop()
        #expect(await connection.run() == nil)
        #expect(await transport.allReplies().isEmpty && transport.isClosed)
    }

    @Test("A peer that does not read cannot delay a stop beyond its timeout")
    func stopUnread() async {
        let transport = PipeTransport()
        let connection = connection(transport) { $0.stopTimeout = .milliseconds(50) }
        transport.pause()
        transport.send(Self.call(1, "fat"))
        let running = Task { await connection.run() }
        while connection.waitingBytes == 0 { await Task.yield() }
        connection.stop()
        #expect(await running.value == nil)
        #expect(transport.isClosed && connection.isIdle)
    }

    @Test("The connection samples the unread bytes only while output waits for the peer")
    func samples() async {
        let transport = PipeTransport()
        let connection = connection(transport) { $0.unreadOutput = .milliseconds(20) }
        let running = Task { await connection.run() }
        var replies = transport.replies.makeAsyncIterator()
        transport.send(Self.call(1, "slow"))
        #expect(await replies.next() != nil)
        while connection.state.withLock({ $0.isCheckingStalls }) { await Task.yield() }
        #expect(connection.state.withLock { $0.stalls.nextCheck(after: .now) } == nil, "a timer is planned")
        transport.end()
        #expect(await running.value == nil)
    }
}
