private import Glibc
package import SystemPackage

/// The directory of archives: files now, object storage later.
///
/// A file appears under its name only whole and on disk: written beside it as `.partial`, fsynced, renamed, and the
/// directories that were touched fsynced.
package struct ArchiveStore: Sendable {
    package let root: FilePath

    private static let directoryMode: mode_t = 0o2750
    private static let fileMode: mode_t = 0o640
    private static let idFile = ".store-id"

    package init(root: FilePath) {
        self.root = root
    }

    private func path(_ name: ArchiveName) -> FilePath {
        name.directories.reduce(root) { $0.appending($1) }.appending(name.file)
    }

    // MARK: Which file system this is

    /// Holds the directory to the database's store id.
    ///
    /// - Parameter mayCreate: write the id where there is none: for the first start, when no job has an archive yet.
    /// - Throws: ``ArchiveError/Code/wrongStore`` or a fault of the file system.
    package func verify(storeID: String, mayCreate: Bool) throws {
        let path = root.appending(Self.idFile)
        let found: String?
        do {
            let file = try storage("reading the archives' .store-id") { try FileDescriptor.open(path, .readOnly) }
            defer { try? file.close() }
            found = try storage("reading the archives' .store-id") {
                try String(unsafeUninitializedCapacity: 256) { try file.read(into: UnsafeMutableRawBufferPointer($0)) }
            }
        } catch let error as ArchiveError where error.code == .missing {
            found = nil
        }
        if let found {
            guard found.split(whereSeparator: \.isWhitespace).first.map(String.init) == storeID else {
                throw ArchiveError(
                    .wrongStore, "the archives' .store-id is not this database's: another installation's directory?")
            }
            return
        }
        guard mayCreate else {
            throw ArchiveError(
                .wrongStore,
                "the archives have no .store-id, but the database has archives: is their file system mounted?")
        }
        // Written beside it and renamed: a crash leaves no mark, or a whole one. Two workers write the same.
        let draft = root.appending("\(Self.idFile).\(getpid())")
        let file = try storage("writing the archives' .store-id") {
            try FileDescriptor.open(
                draft, .writeOnly, options: [.create, .truncate, .closeOnExec, .noFollow],
                permissions: .init(rawValue: Self.fileMode))
        }
        defer { try? file.close() }
        try storage("writing the archives' .store-id") {
            _ = try file.writeAll("\(storeID)\n".utf8)
            try file.sync()
        }
        guard rename(draft.string, path.string) == 0 else { throw Self.fault("writing the archives' .store-id") }
        try sync(root)
    }

    // MARK: Writing

    /// Starts the archive of a name. A partial that an earlier process of the same epoch left is replaced.
    package func create(_ name: ArchiveName) throws -> PartialArchive {
        var directory = root
        for component in name.directories {
            let parent = directory
            directory = directory.appending(component)
            if mkdir(directory.string, Self.directoryMode) == 0 {
                // The umask may have taken bits away.
                guard chmod(directory.string, Self.directoryMode) == 0 else { throw Self.fault("making a directory") }
                try sync(parent)
            } else if errno != EEXIST {
                throw Self.fault("making a directory for archives")
            }
        }
        let path = path(name)
        let partial = FilePath(path.string + ".partial")
        let file = try storage("creating an archive") {
            try FileDescriptor.open(
                partial, .writeOnly, options: [.create, .truncate, .closeOnExec, .noFollow],
                permissions: .init(rawValue: Self.fileMode))
        }
        guard fchmod(file.rawValue, Self.fileMode) == 0 else {
            let fault = Self.fault("creating an archive")
            try? file.close()
            throw fault
        }
        return PartialArchive(store: self, file: file, partial: partial, path: path)
    }

    private static func fault(_ doing: StaticString) -> ArchiveError {
        ArchiveError(Errno(rawValue: errno), doing)
    }

    func sync(_ directory: FilePath) throws {
        try storage("syncing a directory of archives") {
            let descriptor = try FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec])
            defer { try? descriptor.close() }
            try descriptor.sync()
        }
    }

    // MARK: Reading and removing

    /// Opens an archive for reading.
    package func open(_ name: ArchiveName) throws -> SeekableReader {
        try SeekableReader(path: path(name))
    }

    /// Removes an archive. One that is gone already is no error.
    package func remove(_ name: ArchiveName) throws {
        let path = path(name)
        guard unlink(path.string) == 0 else {
            if errno == ENOENT { return }
            throw Self.fault("removing an archive")
        }
        try sync(path.removingLastComponent())
    }
}

extension FileDescriptor {
    func sync() throws {
        guard fsync(rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
}
