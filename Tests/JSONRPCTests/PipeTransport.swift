import Foundation
import JSONRPC
import Synchronization

/// A transport that consists of two queues in memory.
final class PipeTransport: Transport {
    private struct Gate {
        var isPaused = false
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

    func write(_ bytes: ArraySlice<UInt8>, _ attachments: [any Attachment]) async throws {
        await isRunning()
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

    /// Makes writes wait until ``resume()``, as if the peer did not read.
    func pause() { gate.withLock { $0.isPaused = true } }

    func resume() {
        let waiting = gate.withLock { gate in
            gate.isPaused = false
            defer { gate.waiting = [] }
            return gate.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func isRunning() async {
        await withCheckedContinuation { continuation in
            let isRunning = gate.withLock { gate in
                if gate.isPaused { gate.waiting.append(continuation) }
                return !gate.isPaused
            }
            if isRunning { continuation.resume() }
        }
    }

    private let sampled = Atomic(0)
    /// Whether the peer has read a byte at each sample of ``unread``.
    let readsSlowly = Atomic(false)
    private let closed = Atomic(false)

    /// A constant, as if the peer read nothing.
    var unread: Int {
        let count = sampled.add(1, ordering: .relaxed).newValue
        return readsSlowly.load(ordering: .relaxed) ? 1_000_000 - count : 1_000_000
    }

    /// The number of reads of ``unread``.
    var samples: Int { sampled.load(ordering: .relaxed) }
    var isClosed: Bool { closed.load(ordering: .relaxed) }

    func close() {
        closed.store(true, ordering: .relaxed)
        resume()
        input.finish()
    }

    func send(_ text: String) {
        send(bytes: Array(text.utf8))
    }

    func send(bytes: [UInt8]) {
        input.yield(bytes)
    }

    /// Returns all lines of output. The connection must have ended.
    func allReplies() async -> [String] {
        output.finish()
        return await replies.reduce(into: []) { $0.append($1) }
    }

    func end() {
        input.finish()
    }
}

/// The name of something that tests send with bytes.
extension String: Attachment {}
