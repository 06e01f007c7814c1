private import Dispatch
private import JSONRPC
private import Synchronization

/// A whole connection. Bytes that are split anywhere give the same replies, and the next request is always answered.
enum ConnectionCase {
    /// Records the bytes that it gets.
    private final class Memory: Transport {
        let inbound: AsyncStream<[UInt8]>
        let input: AsyncStream<[UInt8]>.Continuation
        let output = Mutex<[UInt8]>([])

        init() {
            (inbound, input) = AsyncStream.makeStream()
        }

        func write(_ bytes: ArraySlice<UInt8>, _ attachments: [any Attachment]) async throws {
            output.withLock { $0 += bytes }
        }

        var unread: Int { 0 }

        func close() {
            input.finish()
        }
    }

    private struct Nothing: Attachment {}

    private static let dispatcher = Dispatcher<Int>(
        [
            .init(name: "echo") { params, _, _ in Outcome(text(params)) },
            .init(name: "ping", traits: .control) { _, _, _ in Outcome(Array("{}".utf8)) },
            .init(name: "alone", traits: [.alone, .large]) { params, _, _ in Outcome(text(params), attachments: [Nothing()])
            },
            .init(name: "fail") { _, _, _ in throw RPCError.internalError },
        ]
    ) { _, _ in .internalError }

    private static func text(_ params: JSONNode?) -> [UInt8] {
        params.map { Array($0.bytes) } ?? Array("{}".utf8)
    }

    /// The replies, sorted by their text, because they arrive in any order.
    private static func replies(to parts: some Sequence<[UInt8]>) -> [[UInt8]] {
        let transport = Memory()
        var limits = ConnectionLimits()
        limits.line = 512
        // The result must not depend on speed.
        limits.inFlight = 10_000
        let connection = Connection(transport: transport, dispatcher: dispatcher, session: 1, limits: limits)
        let isDone = DispatchSemaphore(value: 0)
        Task {
            _ = await connection.run()
            isDone.signal()
        }
        for part in parts { transport.input.yield(part) }
        transport.input.finish()
        guard isDone.wait(timeout: .now() + 20) == .success else { fail("a connection does not end") }
        return transport.output.withLock { $0 }.split(separator: UInt8(ascii: "\n")).map(Array.init)
            .sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The first byte determines how the rest is split.
    static func run(_ input: [UInt8]) {
        guard let seed = input.first else { return }
        // Whether a repeated id is an error depends on how fast the first is answered. Such streams are not compared.
        let bytes = Array(input.dropFirst()) + Array("\n{\"jsonrpc\":\"2.0\",\"id\":\"last\",\"method\":\"ping\"}\n".utf8)
        let whole = replies(to: CollectionOfOne(bytes))
        let isAlive = whole.contains { String(decoding: $0, as: UTF8.self) == #"{"jsonrpc":"2.0","id":"last","result":{}}"# }
        if !isAlive, !input.contains(sequence: "last") { fail("the next request is not answered") }
        for reply in whole where (try? JSONDocument(scanning: reply, depth: 64)) == nil { fail("a reply is no JSON") }
        let cut = replies(to: Cuts(bytes, seed: seed))
        let mayDiffer =
            (whole + cut).contains { $0.contains(sequence: "duplicate-id") }
            || bytes.contains(sequence: "cancelRequest")
        if cut != whole, !mayDiffer { fail("a split stream gets other replies") }
    }
}

extension [UInt8] {
    fileprivate func contains(sequence text: String) -> Bool {
        String(decoding: self, as: UTF8.self).contains(text)
    }
}
