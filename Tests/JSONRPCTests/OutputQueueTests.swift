@testable import JSONRPC
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct OutputQueueTests {
    /// Records what is written, and that no two writes run at the same time.
    private final class Peer: Sendable {
        private let state = Mutex((bytes: [UInt8](), isWriting: false, overlaps: 0))

        @Sendable func write(_ bytes: ArraySlice<UInt8>, _ attachments: [any JSONRPC.Attachment]) async throws {
            state.withLock { state in
                if state.isWriting { state.overlaps += 1 }
                state.isWriting = true
            }
            await Task.yield()
            state.withLock { state in
                state.bytes += bytes
                state.isWriting = false
            }
        }

        var lines: [String] {
            state.withLock { String(decoding: $0.bytes, as: UTF8.self) }.split(separator: "\n").map(String.init)
        }
        var overlaps: Int { state.withLock { $0.overlaps } }
    }

    private func queue() -> OutputQueue {
        OutputQueue(budget: 1_000, chunk: 100, held: HeldBytes(ByteAccount(.connection) { .max }))
    }

    @Test(
        "Tasks that send at the same time all end, their lines arrive whole and in their order, and one write runs at a time"
    )
    func concurrentSenders() async {
        let queue = queue()
        let peer = Peer()
        async let drained: Void = queue.drain(peer.write)
        await withTaskGroup(of: Void.self) { tasks in
            for sender in 0..<8 {
                tasks.addTask {
                    for number in 0..<200 {
                        if number % 10 == 0 { queue.post(Array("\(sender):post".utf8)) }
                        let isSent = await queue.send(Array("\(sender):\(number)".utf8), [], peer.write)
                        #expect(isSent)
                    }
                }
            }
        }
        queue.finish()
        await drained
        let lines = peer.lines
        #expect(peer.overlaps == 0 && queue.waitingBytes == 0 && lines.count == 8 * 220)
        for sender in 0..<8 {
            let own = lines.filter { $0.hasPrefix("\(sender):") && !$0.hasSuffix("post") }
            #expect(own == (0..<200).map { "\(sender):\($0)" })
        }
    }

    @Test("If a write fails, its send and all later ones return false, and the queue ends")
    func failure() async {
        let queue = queue()
        let drained = Task { await queue.drain { _, _ in throw CancellationError() } }
        for _ in 0..<3 {
            #expect(await !queue.send(Array("x".utf8), []) { _, _ in throw CancellationError() })
        }
        await drained.value
        #expect(queue.hasFailed && queue.waitingBytes == 0)
    }
}
