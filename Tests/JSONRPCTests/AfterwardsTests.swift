@testable import JSONRPC
import Testing

/// Checks that a method learns whether its reply was sent.
@Suite(.timeLimit(.minutes(10))) struct AfterwardsTests {
    @Test(
        "A method learns once whether its reply was sent, both for a single request and in a batch",
        arguments: [true, false], [true, false])
    func told(_ isSent: Bool, _ isBatch: Bool) async throws {
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let (told, tell) = AsyncStream.makeStream(of: Bool.self)
        let dispatcher = Dispatcher<Int>([
            .init(name: "note") { _, _, _ in
                begin.yield()
                // The loop also ends if the connection cancels the call.
                for await _ in gate { break }
                return Outcome(Array("{}".utf8)) { tell.yield($0) }
            }
        ]) { _, _ in .internalError }
        let transport = PipeTransport()
        let connection = Connection(transport: transport, dispatcher: dispatcher, session: 1, limits: ConnectionLimits())
        let running = Task { await connection.run() }
        let request = #"{"jsonrpc":"2.0","id":1,"method":"note"}"#
        transport.send((isBatch ? "[\(request)]" : request) + "\n")
        for await _ in begun { break }
        if isSent { open.yield() } else { connection.cancelAll() }
        var answers = told.makeAsyncIterator()
        #expect(await answers.next() == isSent)
        transport.end()
        connection.cancelAll()
        _ = await running.value
        tell.finish()
        #expect(await answers.next() == nil)
    }
}
