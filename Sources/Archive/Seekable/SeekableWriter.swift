private import CZstd
private import Crypto

/// Takes bytes in order; the archive writer's way to the disk, and a test's way to fail it.
package protocol ArchiveOutput: AnyObject {
    func write(_ bytes: UnsafeRawBufferPointer) throws
}

/// Writes the Zstandard seekable format: independent frames of 1 MiB, each with its size and a checksum, then a manifest
/// in a skippable frame, then the seek table.
///
/// The digest of the content is taken on the way. Nothing is buffered but one frame.
package final class SeekableWriter {
    /// Bytes of content in each frame but the last.
    package static let frameSize = 1024 * 1024
    /// `zstd -d` skips frames with this number (RFC 8878, 3.1.2: 0x184D2A50 to 0x184D2A5F).
    static let manifestMagic: UInt32 = 0x184D_2A5D

    /// The content that was written.
    package struct Content: Sendable, Equatable {
        /// Bytes.
        package let size: Int
        package let sha256: [UInt8]
    }

    private let output: any ArchiveOutput
    private let context: OpaquePointer
    private let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: SeekableWriter.frameSize, alignment: 16)
    private let compressed: UnsafeMutableRawBufferPointer
    private var filled = 0
    private var size = 0
    private var hash = SHA256()
    private var table = SeekTable()

    /// - Parameter level: zstd's; a workbook is deflated already, so more than 1 gains nothing.
    package init(to output: any ArchiveOutput, level: Int = 1) throws {
        guard let context = ZSTD_createCCtx() else {
            throw ArchiveError(.storageFailed, "there is no memory for the compressor")
        }
        self.output = output
        self.context = context
        compressed = .allocate(byteCount: ZSTD_compressBound(Self.frameSize), alignment: 16)
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1)
    }

    deinit {
        ZSTD_freeCCtx(context)
        frame.deallocate()
        compressed.deallocate()
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        hash.update(bufferPointer: bytes)
        size += bytes.count
        var rest = bytes
        while !rest.isEmpty {
            let part = min(rest.count, frame.count - filled)
            UnsafeMutableRawBufferPointer(rebasing: frame[filled...]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: rest[..<part]))
            filled += part
            rest = UnsafeRawBufferPointer(rebasing: rest[part...])
            if filled == frame.count { try endFrame() }
        }
    }

    private func endFrame() throws {
        let length = ZSTD_compress2(context, compressed.baseAddress, compressed.count, frame.baseAddress, filled)
        guard ZSTD_isError(length) == 0 else {
            throw ArchiveError(.storageFailed, "zstd failed: \(String(cString: ZSTD_getErrorName(length)))")
        }
        try output.write(UnsafeRawBufferPointer(rebasing: compressed[..<length]))
        table.frames.append(.init(compressed: UInt32(length), size: UInt32(filled)))
        filled = 0
    }

    /// Writes what is left, the manifest and the seek table.
    ///
    /// - Parameter manifest: makes the manifest's bytes from what only the end knows.
    /// - Returns: the content and the size of the whole archive in bytes.
    package func finish(manifest: (Content) throws -> [UInt8]) throws -> (content: Content, archiveSize: Int) {
        if filled > 0 || size == 0 { try endFrame() }
        let content = Content(size: size, sha256: Array(hash.finalize()))
        let body = try manifest(content)
        var tail: [UInt8] = []
        tail.append(littleEndian: Self.manifestMagic)
        tail.append(littleEndian: UInt32(body.count))
        tail.append(contentsOf: body)
        table.frames.append(.init(compressed: UInt32(tail.count), size: 0))
        tail.append(contentsOf: table.encoded)
        try tail.withUnsafeBytes { try output.write($0) }
        let frames = table.frames.reduce(0) { $0 + Int($1.compressed) }
        return (content, frames + SeekTable.encodedSize(frames: table.frames.count))
    }
}
