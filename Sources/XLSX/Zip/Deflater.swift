import CZlib

/// Compresses blocks into raw DEFLATE (RFC 1951).
///
/// The seam behind which a faster library can stand. A block may refer back to the end of the one before, 32 KiB at most, and else
/// depends on nothing, so blocks can be compressed side by side and still make one stream, as pigz does it.
protocol Deflater: AnyObject {
    /// Appends the compressed block to the output. One that is not the last ends on a byte's border, with an empty stored
    /// block (RFC 1951, 3.2.4), so that what follows can be appended; the last ends the stream.
    ///
    /// - Parameters:
    ///   - window: what came before, its last 32 KiB at most; nothing at the start of a stream.
    ///   - level: 0 (none) to 9.
    func deflate(
        _ block: UnsafeRawBufferPointer, after window: UnsafeRawBufferPointer, level: Int, isLast: Bool,
        into output: OutputBuffer) throws

    /// CRC-32 of the bytes (ISO 3309, as ZIP has it).
    func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32
}

/// zlib: everywhere, and the yardstick for others.
final class ZlibDeflater: Deflater {
    /// Hash memory of 32 KiB, where zlib's usual is 64: level 1 is then 15 % faster on sheets, for 0.1 % in size.
    private static let memoryLevel: Int32 = 7

    /// zlib keeps a pointer to its stream, so the stream must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private var level: Int

    init(level: Int = 1) throws {
        self.level = level
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // Window bits below zero ask for a raw stream, without zlib's header.
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
        // The bound and what a flush adds; a second turn is for a zlib that has another idea of it.
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
    /// The CRC-32 of bytes that have this one, followed by so many that have the other.
    func crc32(followedBy other: UInt32, count: Int) -> UInt32 {
        UInt32(crc32_combine(UInt(self), UInt(other), count))
    }
}

/// The fastest compressor that the program was built with.
func fastestDeflater() throws -> any Deflater {
    #if ISAL
        try ISALDeflater()
    #else
        try ZlibDeflater()
    #endif
}
