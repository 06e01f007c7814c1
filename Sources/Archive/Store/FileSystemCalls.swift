private import Glibc
package import SystemPackage

/// The system calls that write, so that a test can let the n-th of them fail.
package protocol FileSystemCalls: Sendable {
    func makeDirectory(_ path: FilePath, mode: CInterop.Mode) throws(Errno)
    func changeMode(_ path: FilePath, mode: CInterop.Mode) throws(Errno)
    func changeMode(_ file: FileDescriptor, mode: CInterop.Mode) throws(Errno)
    /// Opens a file to write it from its beginning; it is created where there is none, and no link is followed.
    func create(_ path: FilePath, mode: CInterop.Mode) throws(Errno) -> FileDescriptor
    func write(_ bytes: UnsafeRawBufferPointer, to file: FileDescriptor) throws(Errno)
    func sync(_ file: FileDescriptor) throws(Errno)
    func rename(_ path: FilePath, to target: FilePath) throws(Errno)
    func unlink(_ path: FilePath) throws(Errno)
}

/// The system's own.
package struct SystemCalls: FileSystemCalls {
    package init() {}

    package func makeDirectory(_ path: FilePath, mode: CInterop.Mode) throws(Errno) {
        try Self.check(mkdir(path.string, mode))
    }

    package func changeMode(_ path: FilePath, mode: CInterop.Mode) throws(Errno) {
        try Self.check(chmod(path.string, mode))
    }

    package func changeMode(_ file: FileDescriptor, mode: CInterop.Mode) throws(Errno) {
        try Self.check(fchmod(file.rawValue, mode))
    }

    package func create(_ path: FilePath, mode: CInterop.Mode) throws(Errno) -> FileDescriptor {
        while true {
            let file = open(path.string, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
            if file < 0, errno == EINTR { continue }
            try Self.check(file)
            return FileDescriptor(rawValue: file)
        }
    }

    package func write(_ bytes: UnsafeRawBufferPointer, to file: FileDescriptor) throws(Errno) {
        var rest = bytes
        while !rest.isEmpty {
            let written = Glibc.write(file.rawValue, rest.baseAddress, rest.count)
            if written < 0, errno == EINTR { continue }
            try Self.check(written < 0 ? -1 : 0)
            // A disk that takes nothing and says nothing would keep us here for ever.
            if written == 0 { throw .ioError }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    package func sync(_ file: FileDescriptor) throws(Errno) {
        try Self.check(fsync(file.rawValue))
    }

    package func rename(_ path: FilePath, to target: FilePath) throws(Errno) {
        try Self.check(Glibc.rename(path.string, target.string))
    }

    package func unlink(_ path: FilePath) throws(Errno) {
        try Self.check(Glibc.unlink(path.string))
    }

    private static func check(_ result: Int32) throws(Errno) {
        if result < 0 { throw Errno(rawValue: errno) }
    }
}
