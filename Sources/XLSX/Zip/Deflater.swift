import CZlib

/// Compresses blocks into raw DEFLATE (RFC 1951).
///
/// The interface to the compression library. A block may refer back to the end of the previous one, at most 32 KiB, and depends
/// on nothing else. So blocks can be compressed in parallel and still form one stream, as in pigz.
protocol Deflater: AnyObject {
    /// Appends the compressed block to the output. A block that is not the last ends on a byte boundary, with an empty stored
    /// block (RFC 1951, 3.2.4), so that the next block can be appended. The last block ends the stream.
    ///
    /// - Parameters:
    ///   - window: the bytes before the block, at most the last 32 KiB; empty at the start of a stream.
    ///   - level: 0 (none) to 9.
    func deflate(
        _ block: UnsafeRawBufferPointer, after window: UnsafeRawBufferPointer, level: Int, isLast: Bool,
        into output: OutputBuffer) throws

    /// CRC-32 of the bytes (ISO 3309), as in ZIP.
    func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32
}

/// zlib, which is available everywhere. Other compressors are measured against it.
final class ZlibDeflater: Deflater {
    /// Hash memory of 32 KiB instead of zlib's default of 64 KiB: level 1 is then 15 % faster on sheets, and files are 0.1 %
    /// larger.
    private static let memoryLevel: Int32 = 7

    /// zlib keeps a pointer to its stream, so the stream must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private var level: Int

    init(level: Int = 1) throws {
        self.level = level
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // Negative window bits select a raw stream, without zlib's header.
        let status = deflateInit2_(
            stream, Int32(level), Z_DEFLATED, -15, Self.memoryLevel, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            throw XLSXError(.compression, "zlib could not be set up (code \(status))")
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    func deflate(
        _ block: UnsafeRawBufferPointer, after window: UnsafeRawBufferPointer, level: Int, isLast: Bool,
        into output: OutputBuffer
    ) throws {
        try Self.check(deflateReset(stream))
        if level != self.level {
            try Self.check(deflateParams(stream, Int32(level), Z_DEFAULT_STRATEGY))
            self.level = level
        }
        if level > 0, let base = window.bindMemory(to: UInt8.self).baseAddress, !window.isEmpty {
            try Self.check(deflateSetDictionary(stream, base, UInt32(window.count)))
        }
        stream.pointee.next_in = UnsafeMutablePointer(mutating: block.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(block.count)
        // deflateBound and the bytes of a flush. The loop runs again if a zlib needs more.
        var room = Int(deflateBound(stream, UInt(block.count))) + 16
        while true {
            output.reserve(room)
            stream.pointee.next_out = output.end.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(room)
            let status = CZlib.deflate(stream, isLast ? Z_FINISH : Z_SYNC_FLUSH)
            output.advance(to: output.end + (room - Int(stream.pointee.avail_out)))
            let isDone = isLast ? status == Z_STREAM_END : status == Z_OK && stream.pointee.avail_out > 0
            if isDone { return }
            guard status == Z_OK || status == Z_BUF_ERROR, stream.pointee.avail_out == 0 else {
                throw XLSXError(.compression, "zlib failed (code \(status))")
            }
            room = 64 * 1024
        }
    }

    func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return 0 }
        return UInt32(crc32_z(0, base, bytes.count))
    }

    private static func check(_ status: Int32) throws {
        guard status == Z_OK else { throw XLSXError(.compression, "zlib failed (code \(status))") }
    }
}

extension UInt32 {
    /// The CRC-32 of bytes with this CRC-32, followed by `count` bytes with the other.
    func crc32(followedBy other: UInt32, count: Int) -> UInt32 {
        UInt32(crc32_combine(UInt(self), UInt(other), count))
    }
}

/// The fastest compressor with which the program was built.
func fastestDeflater() throws -> any Deflater {
    #if ISAL
        try ISALDeflater()
    #else
        try ZlibDeflater()
    #endif
}
