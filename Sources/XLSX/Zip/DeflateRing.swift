private import Dispatch

/// The blocks of one entry on their way through the compressor: a fixed number of them, in order.
///
/// Each is compressed on whatever core is free, and taken out in the order in which it was put in. Buffers change hands
/// instead of being copied, and none is allocated once the ring has gone round.
final class DeflateRing {
    /// What a block refers back to, at most (RFC 1951, 2).
    private static let windowSize = 32 * 1024
    /// Apache POI takes a part that shrinks more than a hundredfold for an attack, from 100 KiB on (`ZipSecureFile`). A block that
    /// shrinks more than this is compressed at level 1 instead.
    private static let maxCompressionRatio = 66

    /// One place in the ring.
    ///
    /// Unchecked, because it is handed over and never shared: who has put bytes in leaves it alone until `done` is signalled, and
    /// the task that compresses it leaves it alone from then on.
    final class Block: @unchecked Sendable {
        let bytes = OutputBuffer(capacity: ZipWriter.blockSize + ZipWriter.blockSize / 4)
        /// The compressed bytes.
        let output = OutputBuffer(capacity: 32 * 1024)
        fileprivate(set) var crc: UInt32 = 0
        fileprivate let window = UnsafeMutableRawBufferPointer.allocate(byteCount: windowSize, alignment: 16)
        fileprivate var windowCount = 0
        fileprivate var level = 1
        fileprivate var isLast = false
        fileprivate var fault: (any Error)?
        fileprivate var isDone = false
        fileprivate let done = DispatchSemaphore(value: 0)
        private let deflater: any Deflater

        fileprivate init(_ deflater: any Deflater) {
            self.deflater = deflater
        }

        deinit {
            window.deallocate()
        }

        fileprivate func compress() {
            bytes.withBytes { bytes in
                crc = deflater.crc32(bytes)
                do {
                    try deflate(bytes, level)
                    if level > 1, output.count * maxCompressionRatio < bytes.count { try deflate(bytes, 1) }
                } catch {
                    fault = error
                }
            }
        }

        private func deflate(_ bytes: UnsafeRawBufferPointer, _ level: Int) throws {
            output.removeAll()
            try deflater.deflate(
                bytes, after: UnsafeRawBufferPointer(rebasing: window[..<windowCount]), level: level, isLast: isLast,
                into: output)
        }
    }

    private let makeDeflater: () throws -> any Deflater
    private let size: Int
    private var blocks: [Block] = []
    /// Blocks that were put in and taken out since the ring was made.
    private var submitted = 0
    private var taken = 0

    /// - Parameter size: blocks under way at once; 1 for no second thread.
    init(size: Int, _ makeDeflater: @escaping () throws -> any Deflater) throws {
        self.size = max(1, size)
        self.makeDeflater = makeDeflater
        blocks.append(Block(try makeDeflater()))
    }

    var isEmpty: Bool { submitted == taken }
    var isFull: Bool { submitted - taken == size }

    /// Starts to compress a block, for which there has to be room.
    ///
    /// - Parameters:
    ///   - bytes: exchanged for none; the buffer is empty then.
    ///   - isFirst: of its stream; nothing is referred back to.
    func submit(_ bytes: OutputBuffer, level: Int, isFirst: Bool, isLast: Bool) throws {
        precondition(!isFull, "the ring is full")
        let index = submitted % size
        if index == blocks.count { blocks.append(Block(try makeDeflater())) }
        let block = blocks[index]
        block.windowCount = 0
        if !isFirst { keepWindow(for: block) }
        bytes.exchange(with: block.bytes)
        bytes.removeAll()
        block.level = level
        block.isLast = isLast
        block.isDone = size == 1 || isFirst && isLast
        submitted += 1
        if block.isDone {
            block.compress()
        } else {
            // Not among the threads that run tasks: who serves callers does not wait behind a block.
            DispatchQueue.global(qos: .utility).async {
                block.compress()
                block.done.signal()
            }
        }
    }

    /// Copies the end of the block before: its buffer may be reused while this one is still to be compressed.
    private func keepWindow(for block: Block) {
        blocks[(submitted + size - 1) % size].bytes.withBytes { before in
            let end = before.suffix(Self.windowSize)
            block.window.copyMemory(from: UnsafeRawBufferPointer(rebasing: end))
            block.windowCount = end.count
        }
    }

    /// Takes the oldest block out, waiting for it where that is wanted; its bytes are valid until the next is put in.
    ///
    /// The wait is as long as compressing takes.
    ///
    /// - Returns: nil where there is none, or none that is done.
    /// - Throws: what the compressor threw.
    func next(waiting: Bool) throws -> Block? {
        guard !isEmpty else { return nil }
        let block = blocks[taken % size]
        if !block.isDone {
            if waiting {
                block.done.wait()
            } else if block.done.wait(timeout: .now()) == .timedOut {
                return nil
            }
        }
        taken += 1
        if let fault = block.fault { throw fault }
        return block
    }
}
