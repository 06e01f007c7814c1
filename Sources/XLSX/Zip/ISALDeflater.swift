#if ISAL
    private import CISAL

    /// Intel's ISA-L, if the program was built with the trait `ISAL`: level 1 is four times as fast as zlib's, and its output a
    /// little smaller. Other levels use zlib, whose output is smaller than ISA-L's.
    ///
    /// ISA-L runs on every x86-64 and AArch64 processor and selects code for the processor's features.
    final class ISALDeflater: Deflater {
        private let stream = UnsafeMutablePointer<isal_zstream>.allocate(capacity: 1)
        private let levelBuffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: isal_level_1_buffer_size, alignment: 64)
        /// Created at its first use.
        private var zlib: ZlibDeflater?

        init() throws {}

        deinit {
            stream.deallocate()
            levelBuffer.deallocate()
        }

        func deflate(
            _ block: UnsafeRawBufferPointer, after window: UnsafeRawBufferPointer, level: Int, isLast: Bool,
            into output: OutputBuffer
        ) throws {
            guard level == 1 else {
                let zlib = try self.zlib ?? ZlibDeflater(level: level)
                self.zlib = zlib
                return try zlib.deflate(block, after: window, level: level, isLast: isLast, into: output)
            }
            isal_deflate_init(stream)
            stream.pointee.level = 1
            stream.pointee.level_buf = levelBuffer.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.level_buf_size = UInt32(levelBuffer.count)
            stream.pointee.end_of_stream = isLast ? 1 : 0
            stream.pointee.flush = UInt16(isLast ? NO_FLUSH : SYNC_FLUSH)
            if let base = window.bindMemory(to: UInt8.self).baseAddress, !window.isEmpty {
                let status = isal_deflate_set_dict(stream, UnsafeMutablePointer(mutating: base), UInt32(window.count))
                guard status == COMP_OK else { throw Self.failed(status) }
            }
            stream.pointee.next_in = UnsafeMutablePointer(mutating: block.bindMemory(to: UInt8.self).baseAddress)
            stream.pointee.avail_in = UInt32(block.count)
            var room = block.count + block.count / 16 + 1_024
            repeat {
                output.reserve(room)
                stream.pointee.next_out = output.end.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(room)
                let status = isal_deflate(stream)
                guard status == COMP_OK else { throw Self.failed(status) }
                output.advance(to: output.end + (room - Int(stream.pointee.avail_out)))
                // If output space is left, everything was written: held-back bytes would have used it.
                if stream.pointee.avail_out > 0 { return }
                room = 64 * 1024
            } while true
        }

        func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
            guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return 0 }
            return crc32_gzip_refl(0, base, UInt64(bytes.count))
        }

        private static func failed(_ status: Int32) -> XLSXError {
            XLSXError(.compression, "ISA-L failed (code \(status))")
        }
    }
#endif
