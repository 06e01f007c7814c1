private import CZstd
private import Glibc
package import SystemPackage

/// Reads any range of an archive's content. A read touches only the frames that it needs.
///
/// It owns the descriptor. It keeps the last frame, so that sequential reads decompress each frame once. Only one task may use
/// a reader at a time.
///
/// SAFETY: this object alone owns the decompressor, from ZSTD_createDCtx to ZSTD_freeDCtx. zstd reads and writes the given numbers of
/// bytes of arrays, which outlive the call.
@safe package final class SeekableReader {
    private struct Place {
        let fileOffset: Int64
        let contentOffset: Int
        let frame: SeekTable.Frame
    }

    /// The maximum size of a magic number and a frame header (RFC 8878, 3.1.1.1).
    private static let largestHeader = 18

    /// The maximum size of a compressed frame and of the manifest. An archive whose table states more is damaged, and none of
    /// its frames is read.
    private static let largestFrame = 4 * SeekableWriter.frameSize

    private let file: FileDescriptor
    private let calls: any FileSystemCalls
    private let context: OpaquePointer
    private let places: [Place]
    private let manifestPlace: Place?
    private var cachedIndex: Int?
    private var cached: [UInt8] = []

    /// The size of the content, in bytes.
    package let size: Int
    /// The size of the file, in bytes.
    package let archiveSize: Int

    /// Opens the file and reads its seek table.
    ///
    /// - Throws: ``ArchiveError``: `missing`, `damaged`, `storageFailed`.
    package convenience init(path: FilePath, calls: any FileSystemCalls = SystemCalls()) throws {
        try self.init(adopting: try calls.openFile(path, "opening an archive"), calls)
    }

    private init(adopting file: FileDescriptor, _ calls: any FileSystemCalls) throws {
        do {
            let length = try storage("reading an archive") { try file.seek(offset: 0, from: .end) }
            let table = try Self.table(of: file, length: length, calls)
            var fileOffset: Int64 = 0
            var contentOffset = 0
            var places: [Place] = []
            for frame in table.frames {
                places.append(Place(fileOffset: fileOffset, contentOffset: contentOffset, frame: frame))
                fileOffset += Int64(frame.compressed)
                contentOffset += Int(frame.size)
            }
            let manifest = places.popLast()
            // The table has no checksum. A wrong size in it would shift everything after it, and the frames alone would not
            // show that. But all frames have the same size, the header of the last one states its size, and the manifest after
            // it has none.
            guard manifest?.frame.size == 0, fileOffset + Int64(SeekTable.encodedSize(frames: table.frames.count)) == length,
                table.frames.allSatisfy({ $0.compressed <= Self.largestFrame && $0.size <= SeekableWriter.frameSize }),
                places.dropLast().allSatisfy({ $0.frame.size == SeekableWriter.frameSize }),
                try places.last.map({ try Self.contentSize(of: $0, in: file, calls) == $0.frame.size }) ?? false
            else {
                throw ArchiveError(.damaged, "the archive's seek table does not fit the file")
            }
            guard let context = unsafe ZSTD_createDCtx() else {
                throw ArchiveError(.storageFailed, "there is not enough memory for the decompressor")
            }
            self.file = file
            self.calls = calls
            unsafe self.context = context
            self.places = places
            manifestPlace = manifest
            size = contentOffset
            archiveSize = Int(length)
        } catch {
            try? file.close()
            throw error
        }
    }

    deinit {
        unsafe ZSTD_freeDCtx(context)
        try? file.close()
    }

    private static func table(
        of file: FileDescriptor, length: Int64, _ calls: any FileSystemCalls
    ) throws -> SeekTable {
        let footer = try read(file, at: length - Int64(SeekTable.footerSize), count: SeekTable.footerSize, calls)
        let size = SeekTable.encodedSize(frames: try SeekTable.frameCount(footer: footer))
        return try SeekTable(encoded: read(file, at: length - Int64(size), count: size, calls))
    }

    /// The content size in a frame's header; nil if there is none, or if it is too large.
    private static func contentSize(
        of place: Place, in file: FileDescriptor, _ calls: any FileSystemCalls
    ) throws -> UInt32? {
        let header = try read(file, at: place.fileOffset, count: min(Int(place.frame.compressed), largestHeader), calls)
        let size = unsafe ZSTD_getFrameContentSize(header, header.count)
        return size <= UInt64(SeekableWriter.frameSize) ? UInt32(size) : nil
    }

    private static func read(
        _ file: FileDescriptor, at offset: Int64, count: Int, _ calls: any FileSystemCalls
    ) throws -> [UInt8] {
        guard offset >= 0 else { throw ArchiveError(.damaged, "the archive is too short") }
        let bytes = try storage("reading an archive") {
            try [UInt8](capacity: count) { bytes in try calls.read(file, at: offset, into: &bytes) }
        }
        guard bytes.count == count else { throw ArchiveError(.damaged, "the archive is too short") }
        return bytes
    }

    /// Reads `length` bytes from `offset` on, or fewer at the end of the content.
    ///
    /// - Throws: ``ArchiveError/Code/damaged`` if a frame does not match its checksum; other ``ArchiveError``s of the disk.
    package func read(offset: Int, length: Int) throws -> [UInt8] {
        precondition(offset >= 0 && length >= 0)
        let end = min(size, offset.addingReportingOverflow(length).overflow ? size : offset + length)
        guard offset < end else { return [] }
        var result: [UInt8] = []
        result.reserveCapacity(end - offset)
        var index = place(of: offset)
        while result.count < end - offset {
            let content = try frame(index)
            let start = offset + result.count - places[index].contentOffset
            result.append(contentsOf: content[start..<min(content.count, end - places[index].contentOffset)])
            index += 1
        }
        return result
    }

    /// Returns the rest of the frame that contains the offset, without a copy; nothing at the end of the content.
    package func part(at offset: Int) throws -> ArraySlice<UInt8> {
        guard (0..<size).contains(offset) else { return [] }
        let index = place(of: offset)
        return try frame(index)[(offset - places[index].contentOffset)...]
    }

    /// Duplicates the descriptor of the archive file, at offset 0. The caller closes it.
    package func duplicateFile() throws -> FileDescriptor {
        let copy = fcntl(file.rawValue, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw ArchiveError(Errno(rawValue: errno), "opening an archive") }
        let duplicate = FileDescriptor(rawValue: copy)
        // Both descriptors share the offset. This reader reads only at absolute offsets.
        try storage("opening an archive") { _ = try duplicate.seek(offset: 0, from: .start) }
        return duplicate
    }

    /// Returns the bytes of the manifest.
    package func manifest() throws -> [UInt8] {
        guard let place = manifestPlace else { throw ArchiveError(.damaged, "the archive has no manifest") }
        let bytes = try Self.read(file, at: place.fileOffset, count: Int(place.frame.compressed), calls)
        guard bytes.count >= 8, bytes.littleEndian(at: 0) == SeekableWriter.manifestMagic,
            Int(bytes.littleEndian(at: 4)) == bytes.count - 8
        else { throw ArchiveError(.damaged, "the archive's manifest is damaged") }
        return Array(bytes[8...])
    }

    /// The index of the frame that contains the offset: the last one that begins at or before it.
    private func place(of offset: Int) -> Int {
        var low = 0
        var high = places.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if places[middle].contentOffset <= offset { low = middle } else { high = middle }
        }
        return low
    }

    private func frame(_ index: Int) throws -> [UInt8] {
        if cachedIndex == index { return cached }
        let place = places[index]
        let compressed = try Self.read(file, at: place.fileOffset, count: Int(place.frame.compressed), calls)
        let expected = Int(place.frame.size)
        cachedIndex = nil
        cached = try [UInt8](capacity: expected) { content in
            try unsafe content.withUnsafeMutableBufferPointer { buffer, initialized in
                let length = unsafe ZSTD_decompressDCtx(
                    context, buffer.baseAddress, buffer.count, compressed, compressed.count)
                guard ZSTD_isError(length) == 0, length == expected else {
                    throw ArchiveError(.damaged, "a part of the archive is damaged")
                }
                initialized = length
            }
        }
        cachedIndex = index
        return cached
    }
}
