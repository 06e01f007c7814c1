package import Glibc
package import SystemPackage

/// The system calls on files. The default implementations are the system's own; a test replaces some, to make the n-th write
/// fail or a read hang.
package protocol FileSystemCalls: Sendable {
    /// mkdir(2).
    func makeDirectory(_ path: FilePath, mode: CInterop.Mode) throws(Errno)
    /// chmod(2).
    func changeMode(_ path: FilePath, mode: CInterop.Mode) throws(Errno)
    /// fchmod(2).
    func changeMode(_ file: FileDescriptor, mode: CInterop.Mode) throws(Errno)
    /// Opens a file for reading. Does not follow a symbolic link, and does not wait for the writer of a FIFO.
    func open(_ path: FilePath) throws(Errno) -> FileDescriptor
    /// Opens a directory to list it. Follows a symbolic link only at the root.
    func openDirectory(_ path: FilePath, isRoot: Bool) throws(Errno) -> FileDescriptor
    /// Appends the file's bytes from an offset on, until the span is full or the file ends.
    func read(_ file: FileDescriptor, at offset: Int64, into bytes: inout OutputSpan<UInt8>) throws(Errno)
    /// The figures of the file system (statvfs(3)).
    func space(_ path: FilePath) throws(Errno) -> statvfs
    /// Opens a file for writing: truncates it, or creates it if it does not exist. Does not follow a symbolic link, and does
    /// not wait for the reader of a FIFO.
    func create(_ path: FilePath, mode: CInterop.Mode) throws(Errno) -> FileDescriptor
    /// Writes all of the bytes at the current position of the file.
    func write(_ bytes: Span<UInt8>, to file: FileDescriptor) throws(Errno)
    /// fsync(2).
    func sync(_ file: FileDescriptor) throws(Errno)
    /// rename(2).
    func rename(_ path: FilePath, to target: FilePath) throws(Errno)
    /// unlink(2).
    func unlink(_ path: FilePath) throws(Errno)
}

// SAFETY, for every `unsafe` here: the system takes a path, an address or a span's bytes during the call, and no more bytes than it is
// told.
extension FileSystemCalls {
    /// mkdir(2).
    package func makeDirectory(_ path: FilePath, mode: CInterop.Mode) throws(Errno) {
        try unsafe check(mkdir(path.string, mode))
    }

    /// chmod(2).
    package func changeMode(_ path: FilePath, mode: CInterop.Mode) throws(Errno) {
        try unsafe check(chmod(path.string, mode))
    }

    /// fchmod(2).
    package func changeMode(_ file: FileDescriptor, mode: CInterop.Mode) throws(Errno) {
        try check(fchmod(file.rawValue, mode))
    }

    /// open(2) with O_RDONLY, O_NOFOLLOW and O_NONBLOCK.
    package func open(_ path: FilePath) throws(Errno) -> FileDescriptor {
        try openNoFollow(path, O_RDONLY, mode: 0)
    }

    /// open(2) with O_DIRECTORY, and with O_NOFOLLOW unless it is the root.
    package func openDirectory(_ path: FilePath, isRoot: Bool) throws(Errno) -> FileDescriptor {
        let directory = unsafe Glibc.open(path.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (isRoot ? 0 : O_NOFOLLOW))
        try check(directory)
        return FileDescriptor(rawValue: directory)
    }

    /// open(2) with O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW and O_NONBLOCK.
    package func create(_ path: FilePath, mode: CInterop.Mode) throws(Errno) -> FileDescriptor {
        try openNoFollow(path, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
    }

    /// pread(2), repeated until the span is full or the file ends.
    package func read(_ file: FileDescriptor, at offset: Int64, into bytes: inout OutputSpan<UInt8>) throws(Errno) {
        var at = off_t(offset)
        while !bytes.isFull {
            let count = unsafe bytes.withUnsafeMutableBufferPointer { buffer, initialized in
                let rest = unsafe UnsafeMutableBufferPointer(rebasing: buffer[initialized...])
                let count = unsafe pread(file.rawValue, rest.baseAddress, rest.count, at)
                initialized += max(0, count)
                return count
            }
            if count < 0, errno == EINTR { continue }
            try check(count < 0 ? -1 : 0)
            if count == 0 { break }
            at += off_t(count)
        }
    }

    /// statvfs(3).
    package func space(_ path: FilePath) throws(Errno) -> statvfs {
        var status = statvfs()
        try unsafe check(statvfs(path.string, &status))
        return status
    }

    /// write(2), repeated until all bytes are written.
    package func write(_ bytes: Span<UInt8>, to file: FileDescriptor) throws(Errno) {
        var rest = bytes
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBufferPointer { unsafe Glibc.write(file.rawValue, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            try check(written < 0 ? -1 : 0)
            // A disk that writes nothing without an error would block forever.
            if written == 0 { throw .ioError }
            rest = rest.extracting(droppingFirst: written)
        }
    }

    /// fsync(2).
    package func sync(_ file: FileDescriptor) throws(Errno) {
        try check(fsync(file.rawValue))
    }

    /// rename(2).
    package func rename(_ path: FilePath, to target: FilePath) throws(Errno) {
        try unsafe check(Glibc.rename(path.string, target.string))
    }

    /// unlink(2).
    package func unlink(_ path: FilePath) throws(Errno) {
        try unsafe check(Glibc.unlink(path.string))
    }
}

/// The system's own implementations.
package struct SystemCalls: FileSystemCalls {
    /// Creates the value, which has no state.
    package init() {}
}

/// O_NONBLOCK: the system opens or refuses a FIFO at once, whether or not its other end is open. It has no effect on a regular
/// file.
private func openNoFollow(_ path: FilePath, _ flags: Int32, mode: CInterop.Mode) throws(Errno) -> FileDescriptor {
    while true {
        let file = unsafe Glibc.open(path.string, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, mode)
        if file < 0, errno == EINTR { continue }
        try check(file)
        return FileDescriptor(rawValue: file)
    }
}

private func check(_ result: Int32) throws(Errno) {
    if result < 0 { throw Errno(rawValue: errno) }
}

extension FileSystemCalls {
    /// Opens a regular file for reading.
    ///
    /// - Throws: ``ArchiveError/Code/damaged`` if the name is that of something else: a link, a FIFO, a device, a socket, a
    ///   directory.
    func openFile(_ path: FilePath, _ doing: StaticString) throws -> FileDescriptor {
        let file: FileDescriptor
        do {
            file = try open(path)
        } catch  where [.tooManySymbolicLinkLevels, .noSuchAddressOrDevice].contains(error) {
            // A symbolic link, which is not followed, and a socket, which cannot be opened.
            throw FileDescriptor.notRegular(doing)
        } catch {
            throw ArchiveError(error, doing)
        }
        do {
            try file.requireRegular(doing)
        } catch {
            try? file.close()
            throw error
        }
        return file
    }
}

extension FileDescriptor {
    fileprivate static func notRegular(_ doing: StaticString) -> ArchiveError {
        ArchiveError(.damaged, "\(doing): the entry with its name is not a regular file")
    }

    /// Checks that the descriptor is that of a regular file, and clears O_NONBLOCK, with which it was opened.
    func requireRegular(_ doing: StaticString) throws {
        var status = Glibc.stat()
        guard unsafe fstat(rawValue, &status) == 0 else { throw ArchiveError(Errno(rawValue: errno), doing) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Self.notRegular(doing) }
        _ = fcntl(rawValue, F_SETFL, fcntl(rawValue, F_GETFL) & ~O_NONBLOCK)
    }
}
