import CZlib

/// A raw DEFLATE compressor (RFC 1951) for one entry after the other.
///
/// The seam behind which a faster library can stand; what it gives must be one legal stream for each entry.
protocol Deflater: AnyObject {
    /// Compresses all of `input`; with `finish` the stream is ended and the compressor is ready for the next entry.
    ///
    /// - Parameter body: gets compressed bytes, any number of times; they are valid during the call only.
    func deflate(
        _ input: UnsafeRawBufferPointer, finish: Bool, body: (UnsafeRawBufferPointer) throws -> Void) throws

    /// CRC-32 (ISO 3309, as ZIP has it) of the bytes that follow those of `crc`.
    func crc32(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32
}

/// zlib: everywhere, and the yardstick for others.
final class ZlibDeflater: Deflater {
    /// zlib keeps a pointer to its stream, so the stream must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private let output: UnsafeMutableRawBufferPointer

    /// - Parameter level: 1 (fastest) to 9 (smallest).
    init(level: Int) throws {
        guard (1...9).contains(level) else {
            throw XLSXError(.compression, "the compression level is \(level), and has to be from 1 to 9")
        }
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        output = .allocate(byteCount: 64 * 1024, alignment: 16)
        // Window bits below zero ask for a raw stream without zlib's header; 9 is the largest hash memory (512 KiB).
        let status = deflateInit2_(
            stream, Int32(level), Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard status == Z_OK else {
            throw XLSXError(.compression, "zlib could not be set up (code \(status))")
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
        output.deallocate()
    }

    func deflate(
        _ input: UnsafeRawBufferPointer, finish: Bool, body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        while true {
            stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = UInt32(output.count)
            let status = CZlib.deflate(stream, finish ? Z_FINISH : Z_NO_FLUSH)
            guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
                throw XLSXError(.compression, "zlib failed (code \(status))")
            }
            let written = output.count - Int(stream.pointee.avail_out)
            if written > 0 { try body(UnsafeRawBufferPointer(rebasing: output[..<written])) }
            if status == Z_STREAM_END { break }
            if !finish, stream.pointee.avail_in == 0, stream.pointee.avail_out > 0 { return }
        }
        let status = deflateReset(stream)
        guard status == Z_OK else { throw XLSXError(.compression, "zlib could not be reset (code \(status))") }
    }

    func crc32(_ crc: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return crc }
        return UInt32(crc32_z(UInt(crc), base, bytes.count))
    }
}
