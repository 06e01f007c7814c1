/// A ZIP archive in one pass, as Office reads it (PKWARE APPNOTE 6.3; ECMA-376 Part 2, annex B).
///
/// An entry whose compressed bytes fit one buffer is written with its sizes in the local header; a larger one sets bit 3,
/// has zeros there and a signed 16-byte data descriptor behind it. No entry reaches 4 GiB, so none is ZIP64; only an
/// archive whose directory lies past 4 GiB says so in its central directory. All timestamps are 1980-01-01 00:00, the
/// earliest that the format knows: equal content gives equal bytes.
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
        var size: UInt64 = 0
        var compressedSize: UInt64 = 0
        /// The local header is out, with bit 3 set: compressed bytes go straight to the sink.
        var isStreaming = false
    }

    private static let dosDate: UInt16 = 0x0021
    private static let sizesFollow: UInt16 = 0x0008
    private static let version: UInt16 = 20
    private static let zip64Version: UInt16 = 45

    private let sink: any ByteSink
    private let deflater: any Deflater
    private let held = OutputBuffer(capacity: 128 * 1024)
    private var entries: [Entry] = []
    private var open: OpenEntry?
    private(set) var offset: UInt64

    /// - Parameter offset: where the archive starts to count; other than 0 only to test the border of ZIP64.
    init(sink: any ByteSink, deflater: any Deflater, offset: UInt64 = 0) {
        self.sink = sink
        self.deflater = deflater
        self.offset = offset
    }

    mutating func beginEntry(_ name: String) {
        precondition(open == nil, "one entry at a time")
        open = OpenEntry(name: Array(name.utf8), offset: offset)
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer) throws {
        try compress(bytes, finish: false)
    }

    /// Ends the entry and gives its size before compression, in bytes.
    @discardableResult
    mutating func endEntry() throws -> UInt64 {
        try compress(UnsafeRawBufferPointer(start: nil, count: 0), finish: true)
        guard let entry = open else { preconditionFailure("no open entry") }
        open = nil
        guard let size = UInt32(exactly: entry.size), let compressed = UInt32(exactly: entry.compressedSize) else {
            throw XLSXError(.entryTooLarge, "a part of the workbook reached 4 GiB")
        }
        let flags = entry.isStreaming ? Self.sizesFollow : 0
        let done = Entry(
            name: entry.name, flags: flags, crc: entry.crc, compressedSize: compressed, size: size,
            offset: entry.offset)
        let header = OutputBuffer(capacity: 256)
        if entry.isStreaming {
            header.appendLittleEndian(UInt32(0x0807_4B50))
            header.appendLittleEndian(done.crc)
            header.appendLittleEndian(done.compressedSize)
            header.appendLittleEndian(done.size)
            try emit(header)
        } else {
            try emit(Self.localHeader(done))
            try emit(held)
            held.removeAll()
        }
        entries.append(done)
        return entry.size
    }

    /// An entry of a few bytes, in one call.
    mutating func add(_ name: String, _ content: String) throws {
        beginEntry(name)
        var content = content
        try content.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
        try endEntry()
    }

    private mutating func compress(_ bytes: UnsafeRawBufferPointer, finish: Bool) throws {
        guard var entry = open else { preconditionFailure("no open entry") }
        entry.crc = deflater.crc32(entry.crc, bytes)
        entry.size += UInt64(bytes.count)
        var written = offset
        try deflater.deflate(bytes, finish: finish) { [held, sink] compressed in
            entry.compressedSize += UInt64(compressed.count)
            if !entry.isStreaming {
                if held.count + compressed.count <= 128 * 1024 {
                    held.append(compressed.bindMemory(to: UInt8.self))
                    return
                }
                entry.isStreaming = true
                let header = Self.localHeader(
                    Entry(
                        name: entry.name, flags: Self.sizesFollow, crc: 0, compressedSize: 0, size: 0,
                        offset: entry.offset))
                try header.withBytes { try sink.write($0) }
                try held.withBytes { try sink.write($0) }
                written += UInt64(header.count + held.count)
                held.removeAll()
            }
            try sink.write(compressed)
            written += UInt64(compressed.count)
        }
        offset = written
        open = entry
    }

    private mutating func emit(_ buffer: OutputBuffer) throws {
        try buffer.withBytes { try sink.write($0) }
        offset += UInt64(buffer.count)
    }

    private static func localHeader(_ entry: Entry) -> OutputBuffer {
        let header = OutputBuffer(capacity: 256)
        header.appendLittleEndian(UInt32(0x0403_4B50))
        header.appendLittleEndian(version)
        appendCommon(entry, to: header)
        header.appendLittleEndian(UInt16(entry.name.count))
        header.appendLittleEndian(UInt16(0))
        header.append(entry.name)
        return header
    }

    /// What local and central headers share: flags, method, time and date, CRC and sizes.
    private static func appendCommon(_ entry: Entry, to header: OutputBuffer) {
        header.appendLittleEndian(entry.flags)
        header.appendLittleEndian(UInt16(8))
        header.appendLittleEndian(UInt16(0))
        header.appendLittleEndian(dosDate)
        header.appendLittleEndian(entry.crc)
        header.appendLittleEndian(entry.compressedSize)
        header.appendLittleEndian(entry.size)
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
            directory.appendLittleEndian(UInt32(0x0201_4B50))
            directory.appendLittleEndian(isFar ? Self.zip64Version : Self.version)
            directory.appendLittleEndian(isFar ? Self.zip64Version : Self.version)
            Self.appendCommon(entry, to: directory)
            directory.appendLittleEndian(UInt16(entry.name.count))
            directory.appendLittleEndian(UInt16(isFar ? 12 : 0))
            directory.appendLittleEndian(UInt16(0))  // comment
            directory.appendLittleEndian(UInt16(0))  // disk
            directory.appendLittleEndian(UInt16(0))  // internal attributes
            directory.appendLittleEndian(UInt32(0))  // external attributes
            directory.appendLittleEndian(isFar ? UInt32.max : UInt32(entry.offset))
            directory.append(entry.name)
            if isFar {
                directory.appendLittleEndian(UInt16(0x0001))
                directory.appendLittleEndian(UInt16(8))
                directory.appendLittleEndian(entry.offset)
            }
        }
        appendEnd(directorySize: UInt64(directory.count), to: directory)
        try emit(directory)
    }

    private func appendEnd(directorySize: UInt64, to output: OutputBuffer) {
        let isFar = offset >= UInt64(UInt32.max)
        if isFar {
            let endOffset = offset + directorySize
            output.appendLittleEndian(UInt32(0x0606_4B50))
            output.appendLittleEndian(UInt64(44))
            output.appendLittleEndian(Self.zip64Version)
            output.appendLittleEndian(Self.zip64Version)
            output.appendLittleEndian(UInt32(0))
            output.appendLittleEndian(UInt32(0))
            output.appendLittleEndian(UInt64(entries.count))
            output.appendLittleEndian(UInt64(entries.count))
            output.appendLittleEndian(directorySize)
            output.appendLittleEndian(offset)
            output.appendLittleEndian(UInt32(0x0706_4B50))
            output.appendLittleEndian(UInt32(0))
            output.appendLittleEndian(endOffset)
            output.appendLittleEndian(UInt32(1))
        }
        output.appendLittleEndian(UInt32(0x0605_4B50))
        output.appendLittleEndian(UInt16(0))
        output.appendLittleEndian(UInt16(0))
        output.appendLittleEndian(UInt16(entries.count))
        output.appendLittleEndian(UInt16(entries.count))
        output.appendLittleEndian(UInt32(directorySize))
        output.appendLittleEndian(isFar ? UInt32.max : UInt32(offset))
        output.appendLittleEndian(UInt16(0))
    }
}
