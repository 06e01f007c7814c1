/// The seek table of the Zstandard seekable format, version 0.1.0 (facebook/zstd,
/// contrib/seekable_format/zstd_seekable_compression_format.md).
///
/// Every frame before the table has an entry, also a skippable one, whose content is 0 bytes.
struct SeekTable: Equatable {
    struct Frame: Equatable {
        /// The size in the file, in bytes.
        let compressed: UInt32
        /// The size of the content, in bytes.
        let size: UInt32
    }

    static let skippableMagic: UInt32 = 0x184D_2A5E
    static let footerMagic: UInt32 = 0x8F92_EAB1
    static let footerSize = 9
    /// 1 TiB of content. A file whose footer states more is not an archive, and its table is not read.
    static let maxFrames = 1 << 20
    private static let headerSize = 8
    private static let entrySize = 8

    var frames: [Frame] = []

    /// Bytes of content in all frames.
    var size: UInt64 { frames.reduce(0) { $0 + UInt64($1.size) } }

    static func encodedSize(frames: Int) -> Int {
        headerSize + frames * entrySize + footerSize
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: Self.skippableMagic)
        bytes.append(littleEndian: UInt32(frames.count * Self.entrySize + Self.footerSize))
        for frame in frames {
            bytes.append(littleEndian: frame.compressed)
            bytes.append(littleEndian: frame.size)
        }
        bytes.append(littleEndian: UInt32(frames.count))
        bytes.append(0)  // descriptor: no checksums in the entries; the frames have their own
        bytes.append(littleEndian: Self.footerMagic)
        return bytes
    }

    init() {}

    /// The number of frames that a footer states.
    ///
    /// - Throws: ``ArchiveError/Code/damaged``
    static func frameCount(footer: [UInt8]) throws -> Int {
        guard footer.count == footerSize, footer.littleEndian(at: 5) == footerMagic, footer[4] == 0 else {
            throw ArchiveError(.damaged, "the archive has no seek table")
        }
        let count = Int(footer.littleEndian(at: 0))
        guard count <= maxFrames else { throw ArchiveError(.damaged, "the archive's seek table is damaged") }
        return count
    }

    /// - Parameter encoded: the table's skippable frame, from its magic number to the end of the file.
    init(encoded bytes: [UInt8]) throws {
        guard bytes.count >= Self.headerSize + Self.footerSize, bytes.littleEndian(at: 0) == Self.skippableMagic,
            Int(bytes.littleEndian(at: 4)) == bytes.count - Self.headerSize
        else {
            throw ArchiveError(.damaged, "the archive's seek table is damaged")
        }
        let count = try Self.frameCount(footer: Array(bytes.suffix(Self.footerSize)))
        guard bytes.count == Self.encodedSize(frames: count) else {
            throw ArchiveError(.damaged, "the archive's seek table is damaged")
        }
        frames = (0..<count).map { index in
            let at = Self.headerSize + index * Self.entrySize
            return Frame(compressed: bytes.littleEndian(at: at), size: bytes.littleEndian(at: at + 4))
        }
    }
}

extension [UInt8] {
    mutating func append(littleEndian value: UInt32) {
        for shift in stride(from: 0, to: UInt32.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    func littleEndian(at offset: Int) -> UInt32 {
        self[offset..<(offset + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}
