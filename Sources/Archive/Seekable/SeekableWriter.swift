private import CZstd
private import Crypto
private import Dispatch

/// Takes bytes in order; the archive writer's way to the disk, and a test's way to fail it. From one thread at a time.
package protocol ArchiveOutput: AnyObject {
    func write(_ bytes: UnsafeRawBufferPointer) throws
}

/// Writes the Zstandard seekable format: independent frames of 1 MiB, each with its size and a checksum, then a manifest
/// in a skippable frame, then the seek table.
///
/// A frame that is full is hashed, compressed and written on a thread of its own while the next one is filled; what goes wrong
/// there is thrown by a later call. Nothing is buffered but these two frames and what one of them is compressed to.
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

    private let frames: Frames
    private let queue = DispatchQueue(label: "archive-frames")
    /// Signalled when no frame is being written.
    private let idle = DispatchSemaphore(value: 1)
    private var frame = Frame()
    private var spare: Frame?
    private var size = 0

    /// - Parameter level: zstd's; a workbook is deflated already, so more than 1 gains nothing.
    package init(to output: any ArchiveOutput, level: Int = 1) throws {
        frames = try Frames(output, level: level)
    }

    deinit {
        // The owner may remove the file as soon as the writer is gone.
        queue.sync {}
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        size += bytes.count
        var rest = bytes
        while !rest.isEmpty {
            rest = UnsafeRawBufferPointer(rebasing: rest[frame.fill(from: rest)...])
            if frame.isFull { try handOver() }
        }
    }

    /// Waits for the frame before, as long as the disk takes for it.
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

    /// Writes what is left, the manifest and the seek table.
    ///
    /// - Parameter manifest: makes the manifest's bytes from what only the end knows.
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
/// Unchecked, because it is handed over and never shared: the writer fills it, and leaves it alone until it is written.
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

    /// Takes as many bytes as there is room for, and gives their number.
    func fill(from bytes: UnsafeRawBufferPointer) -> Int {
        let part = min(bytes.count, memory.count - count)
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[..<part]))
        count += part
        return part
    }
}

/// The frames that are on their way out.
///
/// Unchecked, because one thread at a time has it: the queue's while a frame is written, the writer's when the semaphore says
/// that none is.
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

    /// Writes a frame, unless one has failed.
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

    /// Writes the manifest and the seek table, and gives the size of the archive.
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
