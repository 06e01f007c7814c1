/// Reads a ZIP by its central directory, with zlib's inflate: enough to check the writer's files.
package struct ZipReader {
    package struct Entry {
        package let name: String
        package let hasDescriptor: Bool
        package let compressedSize: Int
        package let size: Int
        package let crc: UInt32
        package let offset: Int
    }

    /// What is wrong with the archive.
    package struct Fault: Error, CustomStringConvertible {
        package let description: String

        init(_ description: String) {
            self.description = description
        }
    }

    package let entries: [Entry]
    private let bytes: [UInt8]

    package init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        let end = bytes.count - 22
        guard end >= 0, Self.number(bytes, end, 4) == 0x0605_4B50 else { throw Fault("no end of central directory") }
        var at = Self.number(bytes, end + 16, 4)
        entries = try (0..<Self.number(bytes, end + 10, 2)).map { _ in
            guard Self.number(bytes, at, 4) == 0x0201_4B50 else { throw Fault("no central header at \(at)") }
            let length = Self.number(bytes, at + 28, 2)
            let entry = Entry(
                name: String(decoding: bytes[(at + 46)..<(at + 46 + length)], as: UTF8.self),
                hasDescriptor: Self.number(bytes, at + 8, 2) & 8 != 0, compressedSize: Self.number(bytes, at + 20, 4),
                size: Self.number(bytes, at + 24, 4), crc: UInt32(Self.number(bytes, at + 16, 4)),
                offset: Self.number(bytes, at + 42, 4))
            at += 46 + length + Self.number(bytes, at + 30, 2) + Self.number(bytes, at + 32, 2)
            try Self.checkLocal(entry, bytes)
            return entry
        }
    }

    /// Checks that the local header contains the same as the directory, or zeros and a signed descriptor of 16 bytes after
    /// the content.
    private static func checkLocal(_ entry: Entry, _ bytes: [UInt8]) throws {
        let at = entry.offset
        let told = [Int(entry.crc), entry.compressedSize, entry.size]
        let local = (0..<3).map { number(bytes, at + 14 + 4 * $0, 4) }
        guard number(bytes, at, 4) == 0x0403_4B50, number(bytes, at + 4, 2) == 20,
            (number(bytes, at + 6, 2) & 8 != 0) == entry.hasDescriptor,
            local == (entry.hasDescriptor ? [0, 0, 0] : told)
        else { throw Fault("the local header of \(entry.name) does not fit the directory") }
        guard entry.hasDescriptor else { return }
        let end = at + 30 + number(bytes, at + 26, 2) + number(bytes, at + 28, 2) + entry.compressedSize
        guard number(bytes, end, 4) == 0x0807_4B50, (1...3).map({ number(bytes, end + 4 * $0, 4) }) == told else {
            throw Fault("the descriptor of \(entry.name) does not fit the directory")
        }
    }

    private static func number(_ bytes: [UInt8], _ at: Int, _ width: Int) -> Int {
        bytes[at..<(at + width)].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    package func text(_ name: String) throws -> String {
        guard let entry = entries.first(where: { $0.name == name }) else { throw Fault("no part \(name)") }
        return String(decoding: try content(entry), as: UTF8.self)
    }

    /// The entry's content, whose CRC is checked.
    package func content(_ entry: Entry) throws -> [UInt8] {
        let start = entry.offset + 30 + Self.number(bytes, entry.offset + 26, 2) + Self.number(bytes, entry.offset + 28, 2)
        guard let content = Reference.inflated(Array(bytes[start..<(start + entry.compressedSize)]), limit: entry.size),
            content.count == entry.size
        else { throw Fault("\(entry.name) does not inflate") }
        guard Reference.crc32(content) == entry.crc else { throw Fault("\(entry.name) has another CRC") }
        return content
    }
}
