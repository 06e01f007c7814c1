private import CZlib

/// What zlib says about bytes: the judge of our own compressor and checksum.
package enum Reference {
    /// zlib's CRC-32.
    package static func crc32(_ bytes: [UInt8]) -> UInt32 {
        UInt32(crc32_z(0, bytes, bytes.count))
    }

    /// The bytes that zlib inflates from a raw DEFLATE stream; nil if the stream is wrong, has no end or has bytes after it.
    ///
    /// - Parameter limit: the maximum number of bytes.
    package static func inflated(_ compressed: [UInt8], limit: Int) -> [UInt8]? {
        var compressed = compressed
        var stream = z_stream()
        guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
        defer { inflateEnd(&stream) }
        var status = Z_OK
        let content = [UInt8](unsafeUninitializedCapacity: limit + 1) { output, count in
            compressed.withUnsafeMutableBufferPointer { input in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                status = inflate(&stream, Z_FINISH)
            }
            count = output.count - Int(stream.avail_out)
        }
        return status == Z_STREAM_END && stream.avail_in == 0 ? content : nil
    }
}
