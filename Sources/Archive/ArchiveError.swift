package import SystemPackage

/// A fault of an archive or of the disk under it. Descriptions contain no path.
package struct ArchiveError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of the fault.
    package enum Code: Sendable {
        /// No space is left, or the quota is used up. Another attempt may succeed when there is space again.
        case storageFull
        /// Another fault of the file system; ``errno`` names it, and ``fault`` says whether a retry can succeed.
        case storageFailed
        /// The file does not exist.
        case missing
        /// The bytes are not those that were written: a frame, its checksum or the seek table is wrong.
        case damaged
        /// The directory belongs to another installation, or its file system is not mounted.
        case wrongStore
    }

    /// The kind of the fault, for programs.
    package let code: Code
    /// What happened, for people. It contains no path.
    package let message: String
    /// The error number of the system call, if one failed.
    package let errno: Errno?

    /// A fault of a kind.
    package init(_ code: Code, _ message: String, errno: Errno? = nil) {
        self.code = code
        self.message = message
        self.errno = errno
    }

    /// Maps an error number of the system to a fault.
    init(_ errno: Errno, _ doing: StaticString) {
        let code: Code =
            switch StorageFault(errno) {
            case .full: .storageFull
            case .passing where errno == .noSuchFileOrDirectory: .missing
            case .passing, .permanent, .ours: .storageFailed
            }
        self.init(code, "\(doing): \(errno)", errno: errno)
    }

    /// The message.
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
