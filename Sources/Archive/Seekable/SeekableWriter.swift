private import CZstd
private import Crypto
private import Dispatch

/// Takes the bytes of an archive in order, from one thread at a time. ``PartialArchive`` writes them to the disk; a test can
/// make a write fail.
package protocol ArchiveOutput: AnyObject {
    /// Takes the next bytes. The buffer is valid only during the call.
    ///
    /// - Throws: the error of the output, which ``SeekableWriter`` rethrows.
    func write(_ bytes: UnsafeRawBufferPointer) throws
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
    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        size += bytes.count
        var rest = bytes
        while !rest.isEmpty {
            rest = UnsafeRawBufferPointer(rebasing: rest[frame.fill(from: rest)...])
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
        if frame.count > 0 || size == 0 { frames.end(frame) }
        if let fault = frames.fault { throw fault }
        let content = Content(size: size, sha256: frames.digest())
        return (content, try frames.finish(manifest: manifest(content)))
    }
}

/// The content of one frame.
///
/// Unchecked, because it is handed over and never shared: the writer fills it, and does not use it until it is written.
private final class Frame: @unchecked Sendable {
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: SeekableWriter.frameSize, alignment: 16)
    private(set) var count = 0

    deinit {
        memory.deallocate()
    }

    var isFull: Bool { count == memory.count }
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    func removeAll() {
        count = 0
    }

    /// Takes as many bytes as fit, and returns their number.
    func fill(from bytes: UnsafeRawBufferPointer) -> Int {
        let part = min(bytes.count, memory.count - count)
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[..<part]))
        count += part
        return part
    }
}

/// The frames that are written out.
///
/// Unchecked, because one thread at a time uses it: the queue's while a frame is written, and the writer's when the semaphore
/// shows that none is.
private final class Frames: @unchecked Sendable {
    private let output: any ArchiveOutput
    private let context: OpaquePointer
    private let compressed: UnsafeMutableRawBufferPointer
    private var hash = SHA256()
    private var table = SeekTable()
    private(set) var fault: (any Error)?

    init(_ output: any ArchiveOutput, level: Int) throws {
        guard let context = ZSTD_createCCtx() else {
            throw ArchiveError(.storageFailed, "there is no memory for the compressor")
        }
        self.output = output
        self.context = context
        compressed = .allocate(byteCount: ZSTD_compressBound(SeekableWriter.frameSize), alignment: 16)
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1)
    }

    deinit {
        ZSTD_freeCCtx(context)
        compressed.deallocate()
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

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        hash.update(bufferPointer: bytes)
        let length = ZSTD_compress2(context, compressed.baseAddress, compressed.count, bytes.baseAddress, bytes.count)
        guard ZSTD_isError(length) == 0 else {
            throw ArchiveError(.storageFailed, "zstd failed: \(String(cString: ZSTD_getErrorName(length)))")
        }
        try output.write(UnsafeRawBufferPointer(rebasing: compressed[..<length]))
        table.frames.append(.init(compressed: UInt32(length), size: UInt32(bytes.count)))
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
        try tail.withUnsafeBytes { try output.write($0) }
        return table.frames.reduce(0) { $0 + Int($1.compressed) } + SeekTable.encodedSize(frames: table.frames.count)
    }
}
