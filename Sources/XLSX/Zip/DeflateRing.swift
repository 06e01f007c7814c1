private import Dispatch

/// A fixed number of blocks of one entry that are being compressed, in order.
///
/// Each block is compressed on any free core, and taken out in the order in which it was put in. Buffers are exchanged instead
/// of copied, and none is allocated after the first round.
final class DeflateRing {
    /// The maximum distance of a back-reference (RFC 1951, section 2).
    private static let windowSize = 32 * 1024
    /// Apache POI treats a part that is compressed to less than a hundredth, from 100 KiB on, as an attack (`ZipSecureFile`). A
    /// block with a higher ratio than this is compressed at level 1 instead.
    private static let maxCompressionRatio = 66

    /// One block of the ring.
    ///
    /// Unchecked, because it is handed over and never shared: the submitter does not use it until `done` is signalled, and the
    /// task that compresses it does not use it after that.
    final class Block: @unchecked Sendable {
        let bytes = OutputBuffer(capacity: ZipWriter.blockSize + ZipWriter.blockSize / 4)
        /// The compressed bytes.
        let output = OutputBuffer(capacity: 32 * 1024)
        fileprivate(set) var crc: UInt32 = 0
        /// The bytes before the block to which it may refer.
        fileprivate let window = OutputBuffer(capacity: windowSize)
        fileprivate var level = 1
        fileprivate var isLast = false
        fileprivate var fault: (any Error)?
        fileprivate var isDone = false
        fileprivate let done = DispatchSemaphore(value: 0)
        private let deflater: any Deflater

        fileprivate init(_ deflater: any Deflater) {
            self.deflater = deflater
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

        private func deflate(_ bytes: Span<UInt8>, _ level: Int) throws {
            output.removeAll()
            try window.withBytes { try deflater.deflate(bytes, after: $0, level: level, isLast: isLast, into: output) }
        }
    }

    private let makeDeflater: () throws -> any Deflater
    private let size: Int
    private var blocks: [Block] = []
    /// Blocks that were put in, and taken out, since the ring was created.
    private var submitted = 0
    private var taken = 0

    /// - Parameter size: the number of blocks under way at once; with 1 there is no second thread.
    init(size: Int, _ makeDeflater: @escaping () throws -> any Deflater) throws {
        self.size = max(1, size)
        self.makeDeflater = makeDeflater
        blocks.append(Block(try makeDeflater()))
    }

    var isEmpty: Bool { submitted == taken }
    var isFull: Bool { submitted - taken == size }

    /// Starts to compress a block. The ring must not be full.
    ///
    /// - Parameters:
    ///   - bytes: taken by exchange; the buffer is empty after that.
    ///   - isFirst: whether the block is the first of its stream, without back-references to an earlier one.
    func submit(_ bytes: OutputBuffer, level: Int, isFirst: Bool, isLast: Bool) throws {
        precondition(!isFull, "the ring is full")
        let index = submitted % size
        if index == blocks.count { blocks.append(Block(try makeDeflater())) }
        let block = blocks[index]
        block.window.removeAll()
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
            // Not on the threads of Swift's task pool: tasks that serve callers must not wait for a block.
            DispatchQueue.global(qos: .utility).async {
                block.compress()
                block.done.signal()
            }
        }
    }

    /// Copies the end of the previous block, whose buffer may be reused before this block is compressed.
    private func keepWindow(for block: Block) {
        blocks[(submitted + size - 1) % size].bytes.withBytes { block.window.append($0.extracting(last: Self.windowSize)) }
    }

    /// Takes out the oldest block. Its bytes are valid until the next block is put in.
    ///
    /// With `waiting`, it waits until the block is compressed.
    ///
    /// - Returns: nil if there is no block, or none that is finished.
    /// - Throws: the error of the compressor.
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
