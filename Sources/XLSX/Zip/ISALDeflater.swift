#if ISAL
    private import CISAL

    /// Intel's ISA-L, if the program was built with the trait `ISAL`: level 1 is four times as fast as zlib's, and its output a
    /// little smaller. Other levels use zlib, whose output is smaller than ISA-L's.
    ///
    /// ISA-L runs on every x86-64 and AArch64 processor and selects code for the processor's features.
    ///
    /// SAFETY: this object alone owns the stream and the memory of its level, which stay where they are. ISA-L reads and writes within
    /// `avail_in` and `avail_out`, which are the bytes of the span and the reserved room, and keeps neither address beyond the call.
    @safe final class ISALDeflater: Deflater {
        private let stream = UnsafeMutablePointer<isal_zstream>.allocate(capacity: 1)
        private let levelBuffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: isal_level_1_buffer_size, alignment: 64)
        /// Created at its first use.
        private var zlib: ZlibDeflater?

        init() throws {}

        deinit {
            unsafe stream.deallocate()
            unsafe levelBuffer.deallocate()
        }

        func deflate(
            _ block: Span<UInt8>, after window: Span<UInt8>, level: Int, isLast: Bool, into output: OutputBuffer
        ) throws {
            guard level == 1 else {
                let zlib = try self.zlib ?? ZlibDeflater(level: level)
                self.zlib = zlib
                return try zlib.deflate(block, after: window, level: level, isLast: isLast, into: output)
            }
            unsafe isal_deflate_init(stream)
            unsafe stream.pointee.level = 1
            unsafe stream.pointee.level_buf = levelBuffer.bindMemory(to: UInt8.self).baseAddress
            unsafe stream.pointee.level_buf_size = UInt32(levelBuffer.count)
            unsafe stream.pointee.end_of_stream = isLast ? 1 : 0
            unsafe stream.pointee.flush = UInt16(isLast ? NO_FLUSH : SYNC_FLUSH)
            if !window.isEmpty {
                let status = unsafe window.withUnsafeBufferPointer { window in
                    unsafe isal_deflate_set_dict(
                        stream, UnsafeMutablePointer(mutating: window.baseAddress), UInt32(window.count))
                }
                guard status == COMP_OK else { throw Self.failed(status) }
            }
            try unsafe block.withUnsafeBufferPointer { try unsafe deflate($0, into: output) }
        }

        private func deflate(_ block: UnsafeBufferPointer<UInt8>, into output: OutputBuffer) throws {
            unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: block.baseAddress)
            unsafe stream.pointee.avail_in = UInt32(block.count)
            var room = block.count + block.count / 16 + 1_024
            repeat {
                output.reserve(room)
                unsafe stream.pointee.next_out = output.end.assumingMemoryBound(to: UInt8.self)
                unsafe stream.pointee.avail_out = UInt32(room)
                let status = unsafe isal_deflate(stream)
                guard status == COMP_OK else { throw Self.failed(status) }
                let left = unsafe Int(stream.pointee.avail_out)
                unsafe output.advance(to: output.end + (room - left))
                // If output space is left, everything was written: held-back bytes would have used it.
                if left > 0 { return }
                room = 64 * 1024
            } while true
        }

        func crc32(_ bytes: Span<UInt8>) -> UInt32 {
            guard !bytes.isEmpty else { return 0 }
            return unsafe bytes.withUnsafeBufferPointer { unsafe crc32_gzip_refl(0, $0.baseAddress, UInt64($0.count)) }
        }

        private static func failed(_ status: Int32) -> XLSXError {
            XLSXError(.compression, "ISA-L failed (code \(status))")
        }
    }
#endif
