@testable import Archive
private import Crypto
private import Foundation
private import SystemPackage
import Testing

/// Bytes that do not compress. Equal seeds give equal bytes.
private func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 33)
    }
}

@Suite struct SeekableArchiveTests {
    private static let name = ArchiveName(tenant: "acme", year: 2026, month: 3, job: "job", epoch: 2)

    /// Runs the body with a store in a new folder.
    private func withStore(_ body: (ArchiveStore, FilePath) throws -> Void) throws {
        let folder = FilePath(NSTemporaryDirectory()).appending("archive-\(UUID().uuidString)")
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        try body(ArchiveStore(root: folder), folder)
    }

    private func write(_ content: [UInt8], to store: ArchiveStore, step: Int = 70_001) throws -> SeekableWriter.Content {
        let partial = try store.create(Self.name)
        let writer = try SeekableWriter(to: partial)
        for start in stride(from: 0, to: content.count, by: step) {
            try writer.write(content[start..<min(content.count, start + step)].span.bytes)
        }
        let result = try writer.finish { _ in Array("{\"job\":\"job\"}".utf8) }
        try partial.publish()
        return result.content
    }

    @Test(
        "Reads at each multiple of 65,537 return the bytes that were written",
        arguments: [0, 1, 1_048_575, 1_048_576, 1_048_577, 3_500_000])
    func ranges(_ size: Int) throws {
        try withStore { store, _ in
            let content = noise(size)
            let written = try write(content, to: store)
            #expect(written.size == size)
            #expect(written.sha256 == Array(SHA256.hash(data: content)))
            let reader = try store.open(Self.name)
            #expect(reader.size == size)
            for offset in stride(from: 0, through: size, by: 65_537) {
                #expect(try reader.read(offset: offset, length: 100_000) == Array(content[offset...].prefix(100_000)))
            }
            #expect(try reader.read(offset: size + 5, length: 10).isEmpty)
            #expect(try reader.read(offset: 0, length: .max) == content)
            #expect(try reader.manifest() == Array("{\"job\":\"job\"}".utf8))
        }
    }

    @Test("The zstd program unpacks an archive to the exact content")
    func zstd() throws {
        try withStore { store, folder in
            let content = noise(2_500_000)
            _ = try write(content, to: store)
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = ["zstd", "-dc", folder.appending("acme/2026/03/job.2.xlsx.zst").string]
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            let unpacked = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(Array(unpacked) == content)
        }
    }

    @Test("The seek table has an entry for every frame before it, including the manifest's")
    func seekTable() throws {
        try withStore { store, folder in
            _ = try write(noise(2_500_000), to: store)
            let file = try Data(contentsOf: URL(filePath: folder.appending("acme/2026/03/job.2.xlsx.zst").string))
            let bytes = Array(file)
            let frames = try SeekTable.frameCount(footer: Array(bytes.suffix(9)))
            #expect(frames == 4)
            let table = try SeekTable(encoded: Array(bytes.suffix(SeekTable.encodedSize(frames: frames))))
            #expect(table.frames.last?.size == 0)
            #expect(table.size == 2_500_000)
            #expect(table.frames.reduce(0) { $0 + Int($1.compressed) } + SeekTable.encodedSize(frames: 4) == bytes.count)
        }
    }

    @Test("Reading detects a changed byte anywhere in the content", arguments: [0, 500_000, 1_100_000])
    func damage(_ place: Int) throws {
        try withStore { store, folder in
            _ = try write(noise(2_000_000), to: store)
            let url = URL(filePath: folder.appending("acme/2026/03/job.2.xlsx.zst").string)
            var bytes = try Data(contentsOf: url)
            bytes[place] ^= 0x55
            try bytes.write(to: url)
            let reader = try store.open(Self.name)
            let error = #expect(throws: ArchiveError.self) { _ = try reader.read(offset: 0, length: .max) }
            #expect(error?.code == .damaged)
        }
    }

    @Test("An archive whose seek table has wrong sizes is refused", arguments: [0, 1, 2, 3])
    func shiftedSizes(_ frame: Int) throws {
        try withStore { store, folder in
            _ = try write(noise(2_500_000), to: store)
            let url = URL(filePath: folder.appending("acme/2026/03/job.2.xlsx.zst").string)
            var bytes = Array(try Data(contentsOf: url))
            // Three frames and the manifest; in each entry four bytes of compressed size, then four of content.
            let entry = bytes.count - SeekTable.encodedSize(frames: 4) + 8 + frame * 8
            for (place, value) in [(entry, bytes[entry] &+ 1), (entry + 4, bytes[entry + 4] &+ 1), (entry + 6, 0)] {
                var changed = bytes
                changed[place] = value
                if changed == bytes { continue }
                try Data(changed).write(to: url)
                let error = #expect(throws: ArchiveError.self) { _ = try store.open(Self.name) }
                #expect(error?.code == .damaged)
            }
            bytes.removeFirst()
            try Data(bytes).write(to: url)
            #expect(throws: ArchiveError.self) { _ = try store.open(Self.name) }
        }
    }

    @Test(
        "A file whose footer claims an immense seek table is refused as damaged",
        arguments: [(1 << 20) + 1, 1 << 27, UInt32.max] as [UInt32])
    func immenseTable(_ frames: UInt32) throws {
        try withStore { store, folder in
            _ = try write(noise(10), to: store)
            let path = folder.appending("acme/2026/03/job.2.xlsx.zst").string
            let size = UInt64(SeekTable.encodedSize(frames: Int(frames)))
            var footer: [UInt8] = []
            footer.append(littleEndian: frames)
            footer.append(0)
            footer.append(littleEndian: SeekTable.footerMagic)
            // Nearly the whole file is a hole.
            #expect(truncate(path, 0) == 0 && truncate(path, off_t(size)) == 0)
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            try file.seek(toOffset: size - UInt64(footer.count))
            try file.write(contentsOf: footer)
            try file.close()
            let error = #expect(throws: ArchiveError.self) { _ = try store.open(Self.name) }
            #expect(error?.code == .damaged)
        }
    }

    @Test("A truncated file is refused as damaged", arguments: [0, 8, 1_000])
    func truncation(_ left: Int) throws {
        try withStore { store, folder in
            _ = try write(noise(10_000), to: store)
            let url = URL(filePath: folder.appending("acme/2026/03/job.2.xlsx.zst").string)
            try Data(contentsOf: url).prefix(left).write(to: url)
            let error = #expect(throws: ArchiveError.self) { _ = try store.open(Self.name) }
            #expect(error?.code == .damaged)
        }
    }

    @Test("A partial archive that is not published leaves no file")
    func partial() throws {
        try withStore { store, folder in
            do {
                let partial = try store.create(Self.name)
                try partial.write(noise(10).span)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.appending("acme/2026/03").string).isEmpty)
        }
    }

    @Test("Files and directories have the documented modes under a restrictive umask")
    func modes() throws {
        try withStore { store, folder in
            let old = umask(0o077)
            defer { umask(old) }
            _ = try write([1], to: store)
            func mode(_ path: String) throws -> Int {
                try #require(
                    FileManager.default.attributesOfItem(atPath: folder.appending(path).string)[.posixPermissions] as? Int)
            }
            #expect(try mode("acme") == 0o2750)
            #expect(try mode("acme/2026/03") == 0o2750)
            #expect(try mode("acme/2026/03/job.2.xlsx.zst") == 0o640)
        }
    }

    @Test(
        "Every slug becomes one path component",
        arguments: [
            ("acme", "acme"), ("../x", "%2E%2E%2Fx"), ("a/b", "a%2Fb"), (".", "%2E"), ("ü", "%C3%BC"), ("a%2F", "a%252F"),
        ])
    func components(_ slug: String, _ component: String) {
        #expect(ArchiveName.component(slug) == component)
    }

    @Test("Every slug has its own path component, which a file system accepts")
    func boundedComponents() throws {
        let long = [
            String(repeating: "é", count: 43), String(repeating: "é", count: 42) + "abc", String(repeating: "a", count: 256),
            String(repeating: "a", count: 257), String(repeating: "ab%", count: 300), String(repeating: "👩‍💻", count: 100),
            String(repeating: "a", count: 189) + "é" + String(repeating: "b", count: 80),
            String(repeating: "a", count: 188) + "é" + String(repeating: "b", count: 80),
            String(repeating: "a", count: 190) + "é" + String(repeating: "b", count: 80),
        ]
        // No short slug has the component of a long slug that was cut.
        let short =
            long.map { ArchiveName.component($0) } + [String(repeating: "é", count: 42), String(repeating: "a", count: 255)]
        let components = (long + short).map { ArchiveName.component($0) }
        #expect(Set(components).count == Set(long + short).count)
        for component in components {
            #expect(component.utf8.count <= 255)
            #expect(component.wholeMatch(of: /(?:[A-Za-z0-9_-]|%[0-9A-F]{2})+(?:~[0-9A-F]{64})?/) != nil, "\(component)")
        }
        // A slug that fitted without a cut keeps its component.
        #expect(ArchiveName.component(short[short.count - 1]) == short[short.count - 1])
        #expect(ArchiveName.component(short[short.count - 2]) == String(repeating: "%C3%A9", count: 42))
        // The file system accepts them.
        try withStore { store, _ in
            for slug in long {
                let name = ArchiveName(tenant: slug, year: 2026, month: 3, job: "job", epoch: 2)
                let partial = try store.create(name)
                let writer = try SeekableWriter(to: partial)
                _ = try writer.finish { _ in [] }
                try partial.publish()
                #expect(try store.open(name).size == 0)
            }
        }
    }

    @Test("Every errno has one meaning, and no permanent error counts as temporary")
    func storageFaults() {
        for number in CInt(1)...133 where number != 41 && number != 58 {
            #expect(StorageFault.table[number] != nil, "\(number)")
        }
        #expect(StorageFault(Errno(rawValue: 9_999)) == .permanent)
        let examples: [(Errno, StorageFault)] = [
            (.fileNameTooLong, .permanent), (.tooManySymbolicLinkLevels, .permanent), (.notDirectory, .permanent),
            (.isDirectory, .permanent), (.fileTooLarge, .permanent), (.invalidArgument, .permanent),
            (.notSupported, .permanent),
            (.noSpace, .full), (.diskQuotaExceeded, .full), (.ioError, .passing), (.readOnlyFileSystem, .passing),
            (.permissionDenied, .passing), (.tooManyOpenFiles, .passing), (.staleNFSFileHandle, .passing),
            (.badFileDescriptor, .ours), (.badAddress, .ours), (.illegalSeek, .ours),
        ]
        for (errno, fault) in examples {
            #expect(StorageFault(errno) == fault, "\(errno)")
            #expect(ArchiveError(errno, "testing").fault == fault)
        }
    }

    @Test("The store refuses the directory of another installation, and creates a store id only if it may")
    func storeID() throws {
        try withStore { store, _ in
            #expect(throws: ArchiveError.self) { try store.verify(storeID: "a", mayCreate: false) }
            try store.verify(storeID: "a", mayCreate: true)
            try store.verify(storeID: "a", mayCreate: false)
            let error = #expect(throws: ArchiveError.self) { try store.verify(storeID: "b", mayCreate: true) }
            #expect(error?.code == .wrongStore)
        }
    }

    @Test("Removing an archive twice succeeds")
    func remove() throws {
        try withStore { store, _ in
            _ = try write([1], to: store)
            try store.remove(Self.name)
            try store.remove(Self.name)
            let error = #expect(throws: ArchiveError.self) { _ = try store.open(Self.name) }
            #expect(error?.code == .missing)
        }
    }
}
