package import SystemPackage

/// What can be wrong with an archive or with the disk under it. Descriptions hold no path.
package struct ArchiveError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// No space, or the quota is used up. Worth another try when there is space again.
        case storageFull
        /// Another fault of the file system; ``errno`` tells which, and ``fault`` what that means.
        case storageFailed
        /// There is no such file.
        case missing
        /// The bytes are not what was written: a frame, its checksum or the seek table is wrong.
        case damaged
        /// The directory belongs to another installation, or is not mounted.
        case wrongStore
    }

    package let code: Code
    package let message: String
    package let errno: Errno?

    package init(_ code: Code, _ message: String, errno: Errno? = nil) {
        self.code = code
        self.message = message
        self.errno = errno
    }

    /// Sorts an error of the system.
    init(_ errno: Errno, _ doing: StaticString) {
        let code: Code =
            switch StorageFault(errno) {
            case .full: .storageFull
            case .passing where errno == .noSuchFileOrDirectory: .missing
            case .passing, .permanent, .ours: .storageFailed
            }
        self.init(code, "\(doing): \(errno)", errno: errno)
    }

    package var description: String { message }
}

/// Runs a system call; its error becomes an ``ArchiveError``.
func storage<Result>(_ doing: StaticString, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let errno as Errno {
        throw ArchiveError(errno, doing)
    }
}
