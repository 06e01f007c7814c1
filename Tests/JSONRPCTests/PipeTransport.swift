import Foundation
import JSONRPC
import Synchronization

/// A transport whose two ends are queues in memory.
final class PipeTransport: Transport {
    private struct Gate {
        var isClosed = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let gate = Mutex(Gate())
    private let partial = Mutex("")
    let inbound: AsyncStream<[UInt8]>
    let replies: AsyncStream<String>
    private let input: AsyncStream<[UInt8]>.Continuation
    private let output: AsyncStream<String>.Continuation

    init() {
        (inbound, input) = AsyncStream.makeStream()
        (replies, output) = AsyncStream.makeStream()
    }

    func write(_ bytes: ArraySlice<UInt8>, _ attachments: [String]) async throws {
        await isOpen()
        let text = partial.withLock { partial in
            defer { partial = "" }
            return partial + String(decoding: bytes, as: UTF8.self)
        }
        // The connection may send several lines at once, and a long one in pieces.
        var lines = text.components(separatedBy: "\n")
        let rest = lines.removeLast()
        partial.withLock { $0 = rest }
        for line in lines { output.yield(line + "\n" + attachments.map { "+\($0)" }.joined()) }
    }

    /// Whoever writes waits until the peer reads.
    func close() { gate.withLock { $0.isClosed = true } }

    func open() {
        let waiting = gate.withLock { gate in
            gate.isClosed = false
            defer { gate.waiting = [] }
            return gate.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func isOpen() async {
        await withCheckedContinuation { continuation in
            let isOpen = gate.withLock { gate in
                if gate.isClosed { gate.waiting.append(continuation) }
                return !gate.isClosed
            }
            if isOpen { continuation.resume() }
        }
    }

    func send(_ text: String) {
        send(bytes: Array(text.utf8))
    }

    func send(bytes: [UInt8]) {
        input.yield(bytes)
    }

    /// What has been sent, when no more will be.
    func allReplies() async -> [String] {
        output.finish()
        return await replies.reduce(into: []) { $0.append($1) }
    }

    func end() {
        input.finish()
    }
}
