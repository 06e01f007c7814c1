package import SystemPackage

/// Says whether a call that ended with an error of the file system can succeed later.
package enum StorageFault: Sendable {
    /// The same call can succeed later: the disk or the network recovers, others free a resource, or an operator corrects a
    /// mount, an owner or a mode.
    case passing
    /// The file system is full. The same call can succeed when somebody frees space.
    case full
    /// The same call with the same name or size fails again on this file system.
    case permanent
    /// Only a defect of this program causes the error.
    case ours

    /// Looks the number up. An unknown number is permanent, so that no export is tried again for an hour without a reason.
    package init(_ errno: Errno) {
        self = Self.table[errno.rawValue] ?? .permanent
    }

    /// By Linux's numbers (errno(3)).
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
        28,  // ENOSPC
        122,  // EDQUOT
    ]

    private static let passingNumbers: [CInt] = [
        1,  // EPERM
        2,  // ENOENT: a directory that somebody removed is made again
        4,  // EINTR
        5,  // EIO
        11,  // EAGAIN
        12,  // ENOMEM
        13,  // EACCES
        16,  // EBUSY
        19,  // ENODEV
        23,  // ENFILE
        24,  // EMFILE
        26,  // ETXTBSY
        30,  // EROFS
        35,  // EDEADLK
        37,  // ENOLCK
        62,  // ETIME
        64,  // ENONET
        67,  // ENOLINK
        70,  // ECOMM
        71,  // EPROTO
        74,  // EBADMSG: a checksum of the file system is wrong, until it is repaired
        85,  // ERESTART
        87,  // EUSERS
        100,  // ENETDOWN
        101,  // ENETUNREACH
        102,  // ENETRESET
        103,  // ECONNABORTED
        104,  // ECONNRESET
        105,  // ENOBUFS
        107,  // ENOTCONN: a file system in user space whose process is gone
        108,  // ESHUTDOWN
        110,  // ETIMEDOUT
        111,  // ECONNREFUSED
        112,  // EHOSTDOWN
        113,  // EHOSTUNREACH
        116,  // ESTALE
        117,  // EUCLEAN: the file system needs to be repaired
        121,  // EREMOTEIO
        123,  // ENOMEDIUM
        125,  // ECANCELED
        126,  // ENOKEY: an encrypted directory that is locked
        127,  // EKEYEXPIRED
        128,  // EKEYREVOKED
        129,  // EKEYREJECTED
        133,  // EHWPOISON
    ]

    private static let permanentNumbers: [CInt] = [
        6,  // ENXIO: a socket, or a FIFO that nobody reads
        7,  // E2BIG
        15,  // ENOTBLK
        17,  // EEXIST
        18,  // EXDEV
        20,  // ENOTDIR
        21,  // EISDIR
        22,  // EINVAL: a name that this file system does not take
        27,  // EFBIG
        31,  // EMLINK
        36,  // ENAMETOOLONG
        38,  // ENOSYS
        39,  // ENOTEMPTY
        40,  // ELOOP
        75,  // EOVERFLOW
        84,  // EILSEQ
        95,  // EOPNOTSUPP
        124,  // EMEDIUMTYPE
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
