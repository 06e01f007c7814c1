private import Dispatch

/// A fixed number of blocks of one entry that are being compressed, in order.
///
/// Each block is compressed on any free core, and taken out in the order in which it was put in. Buffers are exchanged instead
/// of copied, and none is allocated after the first round.
final class DeflateRing {
    /// The maximum distance of a back-reference (RFC 1951, section 2).
    static let windowSize = 32 * 1024
    /// Apache POI treats a part that is compressed to less than a hundredth, from 100 KiB on, as an attack (`ZipSecureFile`). A
    /// block with a higher ratio than this is compressed at level 1 instead.
    private static let maxCompressionRatio = 66

    /// How a block is compressed.
    enum Method {
        /// By ``TemplateDeflater``, with hints.
        case template
        /// By a ``Deflater``, at a level.
        case library(level: Int)
    }

    /// One block of the ring.
    ///
    /// Unchecked, because it is handed over and never shared: the submitter does not use it until `done` is signalled, and the
    /// task that compresses it does not use it after that.
    final class Block: @unchecked Sendable {
        let bytes = OutputBuffer(capacity: 0)
        /// The compressed bytes.
        let output = OutputBuffer(capacity: 16 * 1024)
        fileprivate(set) var crc: UInt32 = 0
        fileprivate let hints = CellHints()
        /// The hints of the end of the block before, and its size.
        fileprivate let windowHints = CellHints()
        fileprivate var windowOrigin = 0
        fileprivate var method = Method.template
        fileprivate var isLast = false
        fileprivate var fault: (any Error)?
        fileprivate var isDone = false
        fileprivate let done = DispatchSemaphore(value: 0)
        private let makeDeflater: () throws -> any Deflater
        // Created at their first use: most small parts need only one of them.
        private lazy var library = Result { try makeDeflater() }
        private lazy var template = TemplateDeflater()

        fileprivate init(_ makeDeflater: @escaping () throws -> any Deflater) {
            self.makeDeflater = makeDeflater
        }

        fileprivate func compress() {
            bytes.withBytes { crc = CRC32.checksum($0) }
            switch method {
            case .template:
                output.removeAll()
                bytes.withWindow { bytes, window in
                    template.deflate(
                        bytes, window: window, hints: hints, windowHints: windowHints, windowOrigin: windowOrigin,
                        isLast: isLast, into: output)
                }
            case .library(let level):
                do {
                    try deflate(level)
                    if level > 1, output.count * maxCompressionRatio < bytes.count { try deflate(1) }
                } catch {
                    fault = error
                }
            }
        }

        private func deflate(_ level: Int) throws {
            let library = try library.get()
            output.removeAll()
            try bytes.withWindow { bytes, window in
                try library.deflate(bytes, window: window, level: level, isLast: isLast, into: output)
            }
        }
    }

    private let makeDeflater: () throws -> any Deflater
    private let size: Int
    private var blocks: [Block] = []
    /// Blocks that were put in, and taken out, since the ring was created.
    private var submitted = 0
    private var taken = 0

    /// - Parameter size: the number of blocks under way at once; with 1 there is no second thread.
    init(size: Int, _ makeDeflater: @escaping () throws -> any Deflater) {
        self.size = max(1, size)
        self.makeDeflater = makeDeflater
    }

    var isEmpty: Bool { submitted == taken }
    var isFull: Bool { submitted - taken == size }

    /// Starts to compress a block. The ring must not be full.
    ///
    /// - Parameters:
    ///   - bytes: taken by exchange; the buffer is empty after that.
    ///   - hints: taken by exchange, like the bytes.
    ///   - isFirst: whether the block is the first of its stream, without back-references to an earlier one.
    func submit(_ bytes: OutputBuffer, _ hints: CellHints, _ method: Method, isFirst: Bool, isLast: Bool) {
        precondition(!isFull, "the ring is full")
        let index = submitted % size
        if index == blocks.count { blocks.append(Block(makeDeflater)) }
        let block = blocks[index]
        block.windowHints.removeAll()
        if !isFirst {
            // Copied, since the buffers of the block before may be used again before this block is compressed.
            let before = blocks[(submitted + size - 1) % size]
            bytes.setWindow(before.bytes)
            block.windowOrigin = before.bytes.count
            block.windowHints.append(before.hints, from: before.bytes.count - Self.windowSize)
        }
        bytes.exchange(with: block.bytes)
        bytes.removeAll()
        hints.exchange(with: block.hints)
        hints.removeAll()
        if !isLast { bytes.prepareForBlock() }
        block.method = method
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
