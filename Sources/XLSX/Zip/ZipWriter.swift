/// Writes a ZIP archive in one pass, in the form that Office reads (PKWARE APPNOTE 6.3; ECMA-376 Part 2, annex B).
///
/// An entry is compressed in blocks, in parallel; see ``DeflateRing``. An entry whose compressed bytes fit one buffer has its
/// sizes in the local header. A larger one has bit 3 set, zeros there, and a data descriptor of 16 bytes with signature after
/// it. No entry reaches 4 GiB, so none is ZIP64; only an archive whose central directory begins beyond 4 GiB uses ZIP64 there.
/// All timestamps are 1980-01-01 00:00, the earliest of the format, so that equal content gives equal bytes.
struct ZipWriter {
    private struct Entry {
        let name: [UInt8]
        let flags: UInt16
        let crc: UInt32
        let compressedSize: UInt32
        let size: UInt32
        let offset: UInt64
    }

    private struct OpenEntry {
        let name: [UInt8]
        let offset: UInt64
        var crc: UInt32 = 0
        /// Bytes that the compressor has taken.
        var submitted: UInt64 = 0
        var isFirst = true
        var size: UInt64 = 0
        var compressedSize: UInt64 = 0
        /// Whether the local header was written with bit 3 set, so that compressed bytes go directly to the sink.
        var isStreaming = false
    }

    private static let dosDate: UInt16 = 0x0021
    private static let sizesFollow: UInt16 = 0x0008
    private static let version: UInt16 = 20
    private static let zip64Version: UInt16 = 45

    /// The minimum size of a block that is compressed as one, in bytes. Smaller blocks cost size, and the last one of larger
    /// blocks costs time.
    static let blockSize = 512 * 1024
    /// Compressed bytes that are held back until it is known whether the entry has ended.
    private static let maxHeldBytes = 128 * 1024

    private let sink: any ByteSink
    private let compression: Compression
    private let ring: DeflateRing
    private let held = OutputBuffer(capacity: 32 * 1024)
    private let scratch = OutputBuffer(capacity: 4 * 1024)
    private let noHints = CellHints()
    private var entries: [Entry] = []
    private var open: OpenEntry?
    private(set) var offset: UInt64

    /// - Parameters:
    ///   - threads: the maximum number of blocks that are compressed in parallel.
    ///   - offset: the offset of the first byte; not 0 only in tests of ZIP64.
    init(
        sink: any ByteSink, compression: Compression = .automatic, threads: Int = 1, offset: UInt64 = 0,
        _ makeDeflater: @escaping () throws -> any Deflater = { try ZlibDeflater() }
    ) throws {
        try compression.check()
        self.sink = sink
        self.compression = compression
        ring = DeflateRing(size: threads, makeDeflater)
        self.offset = offset
    }

    mutating func beginEntry(_ name: String) {
        precondition(open == nil, "one entry at a time")
        open = OpenEntry(name: Array(name.utf8), offset: offset)
    }

    /// Takes the next bytes of the entry, about ``blockSize``. The buffer is empty after that, and so are the hints.
    ///
    /// - Parameter hints: for the XML of a sheet, where its texts are.
    mutating func write(_ bytes: OutputBuffer, _ hints: CellHints? = nil) throws {
        try compress(bytes, hints, isLast: false)
    }

    /// Takes the last bytes of the entry, ends it, and returns its size before compression in bytes.
    @discardableResult
    mutating func endEntry(_ bytes: OutputBuffer, _ hints: CellHints? = nil) throws -> UInt64 {
        try compress(bytes, hints, isLast: true)
        while try pass(waiting: true) {}
        guard let entry = open else { preconditionFailure("no open entry") }
        open = nil
        guard let size = UInt32(exactly: entry.size), let compressed = UInt32(exactly: entry.compressedSize) else {
            throw XLSXError(.entryTooLarge, "a part of the workbook reached 4 GiB")
        }
        let flags = entry.isStreaming ? Self.sizesFollow : 0
        let done = Entry(
            name: entry.name, flags: flags, crc: entry.crc, compressedSize: compressed, size: size,
            offset: entry.offset)
        if entry.isStreaming {
            let descriptor = OutputBuffer(capacity: 16)
            descriptor.append(littleEndian: UInt32(0x0807_4B50))
            descriptor.append(littleEndian: done.crc)
            descriptor.append(littleEndian: done.compressedSize)
            descriptor.append(littleEndian: done.size)
            try emit(descriptor)
        } else {
            try emit(Self.localHeader(done))
            try emit(held)
            held.removeAll()
        }
        entries.append(done)
        return entry.size
    }

    /// Adds a small entry in one call.
    mutating func add(_ name: String, _ content: String) throws {
        beginEntry(name)
        scratch.append(content)
        try endEntry(scratch)
    }

    private mutating func compress(_ bytes: OutputBuffer, _ hints: CellHints?, isLast: Bool) throws {
        guard var entry = open else { preconditionFailure("no open entry") }
        if ring.isFull { _ = try pass(waiting: true) }
        while try pass(waiting: false) {}
        entry.submitted += UInt64(bytes.count)
        let offset = entry.submitted - UInt64(bytes.count)
        open?.submitted = entry.submitted
        let usesTemplate = compression == .template && hints != nil
        ring.submit(
            bytes, hints ?? noHints, usesTemplate ? .template : .library(level: compression.level(at: offset)),
            isFirst: entry.isFirst, isLast: isLast)
        open?.isFirst = false
    }

    /// Passes the oldest block to the sink.
    private mutating func pass(waiting: Bool) throws -> Bool {
        guard let block = try ring.next(waiting: waiting) else { return false }
        guard var entry = open else { preconditionFailure("no open entry") }
        entry.crc = CRC32.combine(entry.crc, block.crc, count: block.bytes.count)
        entry.size += UInt64(block.bytes.count)
        entry.compressedSize += UInt64(block.output.count)
        if !entry.isStreaming, held.count + block.output.count <= Self.maxHeldBytes {
            held.append(block.output)
        } else {
            if !entry.isStreaming {
                entry.isStreaming = true
                try emit(
                    Self.localHeader(
                        Entry(
                            name: entry.name, flags: Self.sizesFollow, crc: 0, compressedSize: 0, size: 0,
                            offset: entry.offset)))
                try emit(held)
                held.removeAll()
            }
            try emit(block.output)
        }
        open = entry
        return true
    }

    private mutating func emit(_ buffer: OutputBuffer) throws {
        // SAFETY: the elements are bytes, without padding.
        try buffer.withBytes { try unsafe sink.write($0.bytes) }
        offset += UInt64(buffer.count)
    }

    private static func localHeader(_ entry: Entry) -> OutputBuffer {
        let header = OutputBuffer(capacity: 256)
        header.append(littleEndian: UInt32(0x0403_4B50))
        header.append(littleEndian: version)
        appendCommon(entry, to: header)
        header.append(littleEndian: UInt16(entry.name.count))
        header.append(littleEndian: UInt16(0))
        header.append(entry.name.span)
        return header
    }

    /// The fields that local and central headers share: flags, method, time and date, CRC and sizes.
    private static func appendCommon(_ entry: Entry, to header: OutputBuffer) {
        header.append(littleEndian: entry.flags)
        header.append(littleEndian: UInt16(8))
        header.append(littleEndian: UInt16(0))
        header.append(littleEndian: dosDate)
        header.append(littleEndian: entry.crc)
        header.append(littleEndian: entry.compressedSize)
        header.append(littleEndian: entry.size)
    }

    /// Writes the central directory. Nothing may be written after it.
    mutating func finish() throws {
        precondition(open == nil, "an entry is still open")
        guard entries.count < Int(UInt16.max) else {
            throw XLSXError(.entryTooLarge, "the workbook came to more than 65,534 parts")
        }
        let directory = OutputBuffer(capacity: 4 * 1024)
        for entry in entries {
            let isFar = entry.offset >= UInt64(UInt32.max)
            directory.append(littleEndian: UInt32(0x0201_4B50))
            directory.append(littleEndian: isFar ? Self.zip64Version : Self.version)
            directory.append(littleEndian: isFar ? Self.zip64Version : Self.version)
            Self.appendCommon(entry, to: directory)
            directory.append(littleEndian: UInt16(entry.name.count))
            directory.append(littleEndian: UInt16(isFar ? 12 : 0))
            directory.append(littleEndian: UInt16(0))  // comment
            directory.append(littleEndian: UInt16(0))  // disk
            directory.append(littleEndian: UInt16(0))  // internal attributes
            directory.append(littleEndian: UInt32(0))  // external attributes
            directory.append(littleEndian: isFar ? UInt32.max : UInt32(entry.offset))
            directory.append(entry.name.span)
            if isFar {
                directory.append(littleEndian: UInt16(0x0001))
                directory.append(littleEndian: UInt16(8))
                directory.append(littleEndian: entry.offset)
            }
        }
        appendEnd(directorySize: UInt64(directory.count), to: directory)
        try emit(directory)
    }

    private func appendEnd(directorySize: UInt64, to output: OutputBuffer) {
        let isFar = offset >= UInt64(UInt32.max)
        if isFar {
            let endOffset = offset + directorySize
            output.append(littleEndian: UInt32(0x0606_4B50))
            output.append(littleEndian: UInt64(44))
            output.append(littleEndian: Self.zip64Version)
            output.append(littleEndian: Self.zip64Version)
            output.append(littleEndian: UInt32(0))
            output.append(littleEndian: UInt32(0))
            output.append(littleEndian: UInt64(entries.count))
            output.append(littleEndian: UInt64(entries.count))
            output.append(littleEndian: directorySize)
            output.append(littleEndian: offset)
            output.append(littleEndian: UInt32(0x0706_4B50))
            output.append(littleEndian: UInt32(0))
            output.append(littleEndian: endOffset)
            output.append(littleEndian: UInt32(1))
        }
        output.append(littleEndian: UInt32(0x0605_4B50))
        output.append(littleEndian: UInt16(0))
        output.append(littleEndian: UInt16(0))
        output.append(littleEndian: UInt16(entries.count))
        output.append(littleEndian: UInt16(entries.count))
        output.append(littleEndian: UInt32(directorySize))
        output.append(littleEndian: isFar ? UInt32.max : UInt32(offset))
        output.append(littleEndian: UInt16(0))
    }
}
