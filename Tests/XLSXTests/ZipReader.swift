private import CZlib
import Testing

/// Reads a ZIP by its central directory, with zlib's inflate: enough to look into what the writer made.
struct ZipReader {
    struct Entry {
        let name: String
        let hasDescriptor: Bool
        let compressedSize: Int
        let size: Int
        let crc: UInt32
        let offset: Int
    }

    let entries: [Entry]
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        let end = bytes.count - 22
        try #require(end >= 0 && Self.number(bytes, end, 4) == 0x0605_4B50, "no end of central directory")
        var at = Self.number(bytes, end + 16, 4)
        entries = try (0..<Self.number(bytes, end + 10, 2)).map { _ in
            try #require(Self.number(bytes, at, 4) == 0x0201_4B50)
            let length = Self.number(bytes, at + 28, 2)
            let entry = Entry(
                name: String(decoding: bytes[(at + 46)..<(at + 46 + length)], as: UTF8.self),
                hasDescriptor: Self.number(bytes, at + 8, 2) & 8 != 0, compressedSize: Self.number(bytes, at + 20, 4),
                size: Self.number(bytes, at + 24, 4), crc: UInt32(Self.number(bytes, at + 16, 4)),
                offset: Self.number(bytes, at + 42, 4))
            at += 46 + length + Self.number(bytes, at + 30, 2) + Self.number(bytes, at + 32, 2)
            return entry
        }
    }

    private static func number(_ bytes: [UInt8], _ at: Int, _ width: Int) -> Int {
        bytes[at..<(at + width)].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    func text(_ name: String) throws -> String {
        let entry = try #require(entries.first { $0.name == name }, "no part \(name)")
        return String(decoding: try content(entry), as: UTF8.self)
    }

    /// The entry's content, held to its CRC.
    func content(_ entry: Entry) throws -> [UInt8] {
        let start = entry.offset + 30 + Self.number(bytes, entry.offset + 26, 2) + Self.number(bytes, entry.offset + 28, 2)
        var compressed = Array(bytes[start..<(start + entry.compressedSize)])
        var stream = z_stream()
        try #require(inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK)
        defer { inflateEnd(&stream) }
        var status = Z_OK
        let content = [UInt8](unsafeUninitializedCapacity: max(1, entry.size)) { output, count in
            compressed.withUnsafeMutableBufferPointer { input in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                status = inflate(&stream, Z_FINISH)
            }
            count = output.count - Int(stream.avail_out)
        }
        try #require(status == Z_STREAM_END)
        #expect(UInt32(crc32_z(0, content, content.count)) == entry.crc)
        return content
    }
}
