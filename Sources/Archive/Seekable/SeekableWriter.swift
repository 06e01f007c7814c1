private import CZstd
private import Crypto
private import Dispatch

/// Takes the bytes of an archive in order, from one thread at a time. ``PartialArchive`` writes them to the disk; a test can
/// make a write fail.
package protocol ArchiveOutput: AnyObject {
    /// Takes the next bytes, which are valid only during the call.
    ///
    /// - Throws: the error of the output, which ``SeekableWriter`` rethrows.
    func write(_ bytes: Span<UInt8>) throws
}

/// Writes the Zstandard seekable format: independent frames of 1 MiB, each with its size and a checksum, then a manifest
/// in a skippable frame, then the seek table.
///
/// A thread of its own hashes, compresses and writes a full frame while the next one is filled; a later call throws its error.
/// Only these two frames and the compressed bytes of one of them are in memory.
package final class SeekableWriter {
    /// Bytes of content in each frame but the last.
    package static let frameSize = 1024 * 1024
    /// `zstd -d` skips frames with this number (RFC 8878, 3.1.2: 0x184D2A50 to 0x184D2A5F).
    static let manifestMagic: UInt32 = 0x184D_2A5D

    /// The content that was written.
    package struct Content: Sendable, Equatable {
        /// The size of the content, in bytes.
        package let size: Int
        /// The SHA-256 of the content, 32 bytes.
        package let sha256: [UInt8]
    }

    private let frames: Frames
    private let queue = DispatchQueue(label: "archive-frames")
    /// Signalled when no frame is being written.
    private let idle = DispatchSemaphore(value: 1)
    private var frame = Frame()
    private var spare: Frame?
    private var size = 0

    /// - Parameter level: the level of zstd. A workbook is already deflated, so a level above 1 gains nothing.
    package init(to output: any ArchiveOutput, level: Int = 1) throws {
        frames = try Frames(output, level: level)
    }

    deinit {
        // The owner may remove the file as soon as the writer is released.
        queue.sync {}
    }

    /// Appends content. It may wait until the disk has taken the previous frame.
    ///
    /// - Throws: the error of the output or of the compressor, also for an earlier frame.
    package func write(_ bytes: RawSpan) throws {
        size += bytes.byteCount
        var rest = bytes
        while !rest.isEmpty {
            rest = rest.extracting(droppingFirst: frame.fill(from: rest))
            if frame.isFull { try handOver() }
        }
    }

    /// Waits until the previous frame is written, as long as the disk takes.
    private func handOver() throws {
        idle.wait()
        if let fault = frames.fault {
            idle.signal()
            throw fault
        }
        let full = frame
        frame = spare ?? Frame()
        spare = full
        frame.removeAll()
        queue.async { [frames, idle] in
            frames.end(full)
            idle.signal()
        }
    }

    /// Writes the last frame, the manifest and the seek table.
    ///
    /// - Parameter manifest: returns the bytes of the manifest, which can describe the whole content.
    /// - Returns: the content and the size of the whole archive in bytes.
    package func finish(manifest: (Content) throws -> [UInt8]) throws -> (content: Content, archiveSize: Int) {
        idle.wait()
        defer { idle.signal() }
        if !frame.bytes.isEmpty || size == 0 { frames.end(frame) }
        if let fault = frames.fault { throw fault }
        let content = Content(size: size, sha256: frames.digest())
        return (content, try frames.finish(manifest: manifest(content)))
    }
}

/// The content of one frame.
///
/// Unchecked, because it is handed over and never shared: the writer fills it, and does not use it until it is written.
private final class Frame: @unchecked Sendable {
    private(set) var bytes: [UInt8] = []

    /// The initial capacity, enough for a small workbook.
    private static let firstCapacity = 64 * 1024

    init() {
        bytes.reserveCapacity(Self.firstCapacity)
    }

    var isFull: Bool { bytes.count == SeekableWriter.frameSize }

    func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    /// Takes as many bytes as fit, and returns their number.
    func fill(from source: RawSpan) -> Int {
        let part = source.extracting(first: SeekableWriter.frameSize - bytes.count)
        if bytes.count + part.byteCount > bytes.capacity { bytes.reserveCapacity(SeekableWriter.frameSize) }
        // SAFETY: the bytes are copied during the call.
        unsafe part.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        return part.byteCount
    }
}

/// The frames that are written out.
///
/// Unchecked, because one thread at a time uses it: the queue's while a frame is written, and the writer's when the semaphore
/// shows that none is.
///
/// SAFETY: this object alone owns the compressor, from ZSTD_createCCtx to ZSTD_freeCCtx. zstd and the hash read and write the given
/// numbers of bytes of arrays, which outlive the call.
@safe private final class Frames: @unchecked Sendable {
    private let output: any ArchiveOutput
    private let context: OpaquePointer
    private var compressed: [UInt8] = []
    private var hash = SHA256()
    private var table = SeekTable()
    private(set) var fault: (any Error)?

    init(_ output: any ArchiveOutput, level: Int) throws {
        guard let context = unsafe ZSTD_createCCtx() else {
            throw ArchiveError(.storageFailed, "there is not enough memory for the compressor")
        }
        self.output = output
        unsafe self.context = context
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1)
    }

    deinit {
        unsafe ZSTD_freeCCtx(context)
    }

    /// Writes a frame, unless an earlier one failed.
    func end(_ frame: Frame) {
        guard fault == nil else { return }
        do {
            try write(frame.bytes)
        } catch {
            fault = error
        }
    }

    private func write(_ bytes: [UInt8]) throws {
        hash.update(data: bytes)
        compressed.removeAll(keepingCapacity: true)
        try compressed.append(addingCapacity: ZSTD_compressBound(bytes.count)) { compressed in
            try unsafe compressed.withUnsafeMutableBufferPointer { buffer, initialized in
                let length = unsafe ZSTD_compress2(context, buffer.baseAddress, buffer.count, bytes, bytes.count)
                guard ZSTD_isError(length) == 0 else {
                    throw unsafe ArchiveError(.storageFailed, "zstd failed: \(String(cString: ZSTD_getErrorName(length)))")
                }
                initialized = length
            }
        }
        let frame = compressed
        try output.write(frame.span)
        table.frames.append(.init(compressed: UInt32(frame.count), size: UInt32(bytes.count)))
    }

    func digest() -> [UInt8] { Array(hash.finalize()) }

    /// Writes the manifest and the seek table, and returns the size of the archive in bytes.
    func finish(manifest body: [UInt8]) throws -> Int {
        var tail: [UInt8] = []
        tail.append(littleEndian: SeekableWriter.manifestMagic)
        tail.append(littleEndian: UInt32(body.count))
        tail.append(contentsOf: body)
        table.frames.append(.init(compressed: UInt32(tail.count), size: 0))
        tail.append(contentsOf: table.encoded)
        try output.write(tail.span)
        return table.frames.reduce(0) { $0 + Int($1.compressed) } + SeekTable.encodedSize(frames: table.frames.count)
    }
}
