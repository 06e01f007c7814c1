/// Compresses the XML of a sheet into raw DEFLATE (RFC 1951), with the knowledge of the row writer about its own parts.
///
/// A block is coded as one DEFLATE block with dynamic Huffman codes, or stored if that is smaller. Its bytes depend only on the
/// block, its hints and the 32 KiB before it, so blocks can be compressed in parallel.
package final class TemplateDeflater {
    /// Apache POI treats a part that is compressed to less than a hundredth, from 100 KiB on, as an attack (`ZipSecureFile`).
    private static let maxRatio = 66
    /// The maximum lengths of matches, of which the first that respects the ratio is used. A match takes at least two bits, so a block
    /// of matches of 16 bytes is never compressed to less than a 64th.
    private static let lengths = [MatchFinder.maxLength, 64, 16]
    /// The maximum bytes of a stored block (RFC 1951, 3.2.4).
    private static let maxStored = 65_535

    private let memory = MatchMemory()

    /// A compressor, for one block at a time.
    package init() {}

    /// Appends the compressed block to the output. A block that is not the last ends on a byte boundary, with an empty stored block
    /// (RFC 1951, 3.2.4), or with the block itself if that is stored. The last block ends the stream.
    ///
    /// The output grows by at most five bytes for each 64 KiB of the block, and ten.
    ///
    /// - Parameters:
    ///   - bytes: the window, at most 32 KiB, and then the block.
    ///   - window: the number of bytes of the window.
    ///   - windowHints: hints of texts in the window, by their offsets in the block before.
    ///   - windowOrigin: the number of bytes of the block before.
    package func deflate(
        _ bytes: Span<UInt8>, window: Int, hints: CellHints, windowHints: CellHints, windowOrigin: Int, isLast: Bool,
        into output: OutputBuffer
    ) {
        let size = bytes.count - window
        guard size > 0 else { return DynamicBlock.writeEmpty(isLast: isLast, to: output) }
        let start = output.count
        for maxLength in Self.lengths {
            output.removeAll(from: start)
            memory.prepare(for: size)
            // SAFETY: the span lends the bytes during the call.
            let count = unsafe bytes.withUnsafeBufferPointer { bytes in
                var finder = unsafe MatchFinder(bytes, window: window, maxLength: maxLength, memory: memory)
                finder.run(hints, windowHints: windowHints, windowOrigin: windowOrigin)
                return finder.count
            }
            let block = DynamicBlock(memory)
            if block.size < size + 5 * (size / Self.maxStored + 1) {
                block.write(memory, count, bytes.extracting(droppingFirst: window), isLast: isLast, to: output)
            } else {
                DynamicBlock.writeStored(bytes.extracting(droppingFirst: window), isLast: isLast, to: output)
            }
            if (output.count - start) * Self.maxRatio >= size { return }
        }
    }
}
