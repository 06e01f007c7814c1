private import Glibc
private import Synchronization
package import SystemPackage

/// The directory of archives.
///
/// A file appears under its name only when it is complete and durable: it is written as `.partial`, synced and renamed, and the
/// changed directories are synced.
package struct ArchiveStore: Sendable {
    /// The path of the directory.
    package let root: FilePath
    let calls: any FileSystemCalls
    /// Directories that this process has made durable.
    private let known = KnownDirectories()

    private static let directoryMode: CInterop.Mode = 0o2750
    private static let fileMode: CInterop.Mode = 0o640
    private static let idFile = ".store-id"

    /// A store in a directory.
    ///
    /// - Parameter calls: the system calls; tests replace some.
    package init(root: FilePath, calls: any FileSystemCalls = SystemCalls()) {
        self.root = root
        self.calls = calls
    }

    private func path(_ name: ArchiveName) -> FilePath {
        name.directories.reduce(root) { $0.appending($1) }.appending(name.file)
    }

    private func partial(_ name: ArchiveName) -> FilePath {
        FilePath(path(name).string + ".partial")
    }

    // MARK: Which file system this is

    /// Checks that the directory is the one of the database, by the file `.store-id`.
    ///
    /// - Parameter mayCreate: whether to write the id if there is none: at the first start, when no job has an archive yet.
    /// - Throws: ``ArchiveError/Code/wrongStore``, or a fault of the file system.
    package func verify(storeID: String, mayCreate: Bool) throws {
        let path = root.appending(Self.idFile)
        let found: String?
        do {
            let file = try calls.openFile(path, "reading the archives' .store-id")
            defer { try? file.close() }
            found = try storage("reading the archives' .store-id") {
                let bytes = try [UInt8](capacity: 256) { bytes in try calls.read(file, at: 0, into: &bytes) }
                return String(decoding: bytes, as: UTF8.self)
            }
        } catch let error as ArchiveError where error.code == .missing {
            found = nil
        } catch let error as ArchiveError where error.code == .damaged {
            throw ArchiveError(.wrongStore, "the archives' .store-id is not a regular file")
        }
        if let found {
            guard found.split(whereSeparator: \.isWhitespace).first.map(String.init) == storeID else {
                throw ArchiveError(
                    .wrongStore,
                    "the archives' .store-id is not this database's; check that the directory belongs to this installation")
            }
            return
        }
        guard mayCreate else {
            throw ArchiveError(
                .wrongStore,
                "the archives have no .store-id, but the database has archives; check that their file system is mounted")
        }
        // Written under another name and renamed: after a crash there is no file, or a complete one. Two workers write the same
        // content.
        let draft = root.appending("\(Self.idFile).\(UInt64.random(in: .min ... .max))")
        try storage("writing the archives' .store-id") {
            let file = try calls.create(draft, mode: Self.fileMode)
            defer { try? file.close() }
            do {
                try calls.changeMode(file, mode: Self.fileMode)
                try calls.write(Array("\(storeID)\n".utf8).span, to: file)
                try calls.sync(file)
                try calls.rename(draft, to: path)
            } catch {
                try? calls.unlink(draft)
                throw error
            }
        }
        try sync(root)
    }

    // MARK: Space

    /// Bytes that can still be written, 0 if no inode is left; and the size of the file system in bytes.
    package func space() throws -> (free: Int, size: Int) {
        let status = try storage("reading the free space for archives") { try calls.space(root) }
        // A file system that creates inodes on demand reports that it has none at all.
        let hasRoom = status.f_files == 0 || status.f_favail > 0
        func bytes(_ blocks: fsblkcnt_t) -> Int {
            let (bytes, overflow) = Int(clamping: blocks).multipliedReportingOverflow(by: Int(status.f_frsize))
            return overflow ? .max : bytes
        }
        return (hasRoom ? bytes(status.f_bavail) : 0, bytes(status.f_blocks))
    }

    /// Writes 256 KiB and syncs them, to detect what no figure shows: a quota, a read-only file system, a broken disk. Leaves
    /// no file behind.
    package func probe() throws {
        try storage("writing to the archives' disk") {
            let path = root.appending(".probe-\(UInt64.random(in: .min ... .max))")
            let file = try calls.create(path, mode: Self.fileMode)
            defer { try? file.close() }
            // The file has no name from here on, whatever happens.
            try calls.unlink(path)
            try calls.write([UInt8](repeating: 0, count: 262_144).span, to: file)
            try calls.sync(file)
        }
    }

    // MARK: Writing

    /// Creates the partial file of an archive. It replaces a partial file that an earlier process of the same epoch left.
    package func create(_ name: ArchiveName) throws -> PartialArchive {
        let directory = path(name).removingLastComponent()
        if known.contains(directory.string) {
            do {
                return try createFile(name)
            } catch let error as ArchiveError where error.code == .missing {
                // Somebody has removed the directory.
                known.remove(directory.string)
            }
        }
        try createDirectories(name)
        let archive = try createFile(name)
        known.insert(directory.string)
        return archive
    }

    private func createDirectories(_ name: ArchiveName) throws {
        var directory = root
        for component in name.directories {
            let parent = directory
            directory = directory.appending(component)
            try storage("making a directory for archives") {
                do {
                    try calls.makeDirectory(directory, mode: Self.directoryMode)
                } catch .fileExists {
                    return
                }
                // The umask may have cleared bits.
                try calls.changeMode(directory, mode: Self.directoryMode)
            }
            // Also for a directory that existed: the process that created it may have stopped before this.
            try sync(parent)
        }
    }

    private func createFile(_ name: ArchiveName) throws -> PartialArchive {
        let path = path(name)
        let partial = partial(name)
        return try storage("creating an archive") {
            let file = try calls.create(partial, mode: Self.fileMode)
            // From here on, the deinit of the owner closes and removes the file.
            let archive = PartialArchive(store: self, file: file, partial: partial, path: path)
            try file.requireRegular("creating an archive")
            try calls.changeMode(file, mode: Self.fileMode)
            return archive
        }
    }

    func sync(_ directory: FilePath) throws {
        try storage("syncing a directory of archives") {
            let descriptor = try FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec])
            defer { try? descriptor.close() }
            try calls.sync(descriptor)
        }
    }

    // MARK: Reading and removing

    /// Opens an archive for reading.
    package func open(_ name: ArchiveName) throws -> SeekableReader {
        try SeekableReader(path: path(name), calls: calls)
    }

    /// Removes an archive. A missing file is not an error.
    package func remove(_ name: ArchiveName) throws {
        try remove(path(name))
    }

    /// Removes the partial file that a worker left when it died.
    package func removePartial(_ name: ArchiveName) throws {
        try remove(partial(name))
    }

    private func remove(_ path: FilePath) throws {
        do {
            try calls.unlink(path)
        } catch .noSuchFileOrDirectory {
            return
        } catch {
            throw ArchiveError(error, "removing an archive")
        }
        try sync(path.removingLastComponent())
    }
}

/// A bounded set of paths.
private final class KnownDirectories: Sendable {
    private static let most = 4_096

    private let paths = Mutex<Set<String>>([])

    func contains(_ path: String) -> Bool { paths.withLock { $0.contains(path) } }

    func insert(_ path: String) {
        paths.withLock { paths in
            if paths.count >= Self.most { paths.removeAll() }
            paths.insert(path)
        }
    }

    func remove(_ path: String) {
        paths.withLock { _ = $0.remove(path) }
    }
}
