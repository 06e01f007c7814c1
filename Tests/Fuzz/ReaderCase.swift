private import Archive
private import Foundation
private import SystemPackage

/// A damaged archive is refused as damaged, or returns exactly the bytes that were written.
enum ReaderCase {
    /// Three frames of content that contains its own position and compresses well.
    private static let content: [UInt8] = (0..<2_200_000).map { UInt8(truncatingIfNeeded: $0 >> 9 ^ $0 >> 3) }

    private static let archive: [UInt8] = {
        final class Output: ArchiveOutput {
            var bytes: [UInt8] = []
            func write(_ bytes: Span<UInt8>) { bytes.withUnsafeBytes { self.bytes.append(contentsOf: $0) } }
        }
        let output = Output()
        do {
            let writer = try SeekableWriter(to: output)
            try writer.write(content.span.bytes)
            _ = try writer.finish { _ in Array("{\"job\":\"j\"}".utf8) }
        } catch {
            fail("the archive cannot be made: \(error)")
        }
        return output.bytes
    }()

    /// The first byte selects a file of these bytes, or changes to the archive from its beginning or its end.
    static func run(_ input: [UInt8]) throws {
        guard let choice = input.first else { return }
        let isForeign = choice % 4 == 0
        let file = isForeign ? Array(input.dropFirst()) : changed(Array(input.dropFirst()))
        let path = "/dev/shm/adminexport-fuzz-\(ProcessInfo.processInfo.processIdentifier)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(file).write(to: URL(filePath: path))
        do {
            let reader = try SeekableReader(path: FilePath(path))
            for offset in [0, 1_048_575, 1_048_576, 1_500_000, 2_199_999, reader.size - 1]
            where offset >= 0 && offset < reader.size {
                let part = try reader.read(offset: offset, length: 70_000)
                if !isForeign, part != Array(content[min(offset, content.count)...].prefix(70_000)) {
                    fail("the bytes at \(offset) differ from those that were written")
                }
            }
            _ = try reader.manifest()
        } catch is ArchiveError {}
    }

    /// Steps of four bytes: an action, a place (in 65,536ths, counted from the end to reach the tables), and a value.
    private static func changed(_ script: [UInt8]) -> [UInt8] {
        var bytes = archive
        for start in stride(from: 0, to: script.count - 3, by: 4) {
            guard !bytes.isEmpty else { break }
            let place = (Int(script[start + 1]) << 8 | Int(script[start + 2])) % bytes.count
            let fromEnd = bytes.count - 1 - place
            let value = script[start + 3]
            switch script[start] % 7 {
            case 0: bytes[place] = value
            case 1: bytes[fromEnd] = value
            case 2: bytes[fromEnd] ^= 1 << (value & 7)
            case 3: bytes.removeLast(min(bytes.count, place % 64))
            case 4: bytes.insert(value, at: fromEnd)
            case 5: bytes.remove(at: fromEnd)
            default: bytes[fromEnd] &+= value
            }
        }
        return bytes
    }
}
