private import Glibc
package import SystemPackage

/// Whether a call that ended with an error of the file system can succeed later.
package enum StorageFault: Sendable {
    /// The same call can succeed later: the disk or the network recovers, another process frees a resource, or an operator
    /// corrects a mount, an owner or a mode.
    case passing
    /// The file system is full. The same call can succeed when somebody frees space.
    case full
    /// The same call with the same name or size fails again on this file system.
    case permanent
    /// Only a defect of this program causes the error.
    case ours

    /// An unknown number is permanent, so that no export is retried for an hour without a reason.
    package init(_ errno: Errno) {
        self = Self.table[errno.rawValue] ?? .permanent
    }

    /// The faults of the error numbers of Linux (errno(3)).
    package static let table: [CInt: StorageFault] = {
        var table: [CInt: StorageFault] = [:]
        for (fault, numbers) in [(passing, passingNumbers), (full, fullNumbers), (permanent, permanentNumbers)] {
            for number in numbers { table[number] = fault }
        }
        // The other numbers concern processes, streams, semaphores, terminals and addresses.
        for number in 1...CInt(133) where table[number] == nil { table[number] = ours }
        return table
    }()

    private static let fullNumbers: [CInt] = [
        ENOSPC,
        EDQUOT,
    ]

    private static let passingNumbers: [CInt] = [
        EPERM,
        ENOENT,  // a directory that somebody removed is made again
        EINTR,
        EIO,
        EAGAIN,
        ENOMEM,
        EACCES,
        EBUSY,
        ENODEV,
        ENFILE,
        EMFILE,
        ETXTBSY,
        EROFS,
        EDEADLK,
        ENOLCK,
        ETIME,
        ENONET,
        ENOLINK,
        ECOMM,
        EPROTO,
        EBADMSG,  // a checksum of the file system is wrong, until it is repaired
        ERESTART,
        EUSERS,
        ENETDOWN,
        ENETUNREACH,
        ENETRESET,
        ECONNABORTED,
        ECONNRESET,
        ENOBUFS,
        ENOTCONN,  // a file system in user space whose process is gone
        ESHUTDOWN,
        ETIMEDOUT,
        ECONNREFUSED,
        EHOSTDOWN,
        EHOSTUNREACH,
        ESTALE,
        EUCLEAN,  // the file system needs to be repaired
        EREMOTEIO,
        ENOMEDIUM,
        ECANCELED,
        ENOKEY,  // an encrypted directory that is locked
        EKEYEXPIRED,
        EKEYREVOKED,
        EKEYREJECTED,
        EHWPOISON,
    ]

    private static let permanentNumbers: [CInt] = [
        ENXIO,  // a socket, or a FIFO that nobody reads
        E2BIG,
        ENOTBLK,
        EEXIST,
        EXDEV,
        ENOTDIR,
        EISDIR,
        EINVAL,  // a name that this file system does not take
        EFBIG,
        EMLINK,
        ENAMETOOLONG,
        ENOSYS,
        ENOTEMPTY,
        ELOOP,
        EOVERFLOW,
        EILSEQ,
        EOPNOTSUPP,
        EMEDIUMTYPE,
    ]
}

extension ArchiveError {
    /// What the error means for the export that is being written.
    package var fault: StorageFault {
        switch code {
        case .storageFull: .full
        // A failed attempt removes what has the partial archive's name. A missing directory may be mounted later.
        case .damaged, .missing, .wrongStore: .passing
        case .storageFailed: errno.map { StorageFault($0) } ?? .passing
        }
    }
}
