package import SystemPackage

/// What an error of the file system means for whoever has to decide whether to try again.
package enum StorageFault: Sendable, CaseIterable {
    /// Goes away without another file and another program: a disk or a network that recovers, a resource that others give back, a
    /// mount, an owner or a mode that an operator puts right.
    case passing
    /// There is no room. Goes away when somebody makes some.
    case full
    /// The same call on the same name, or of the same size, fails on this file system again.
    case permanent
    /// No call of this program may meet it: a fault of the program.
    case ours

    /// By the number of errno(3). A number that is not known here is taken for permanent, so that nothing is tried for an hour
    /// for no reason.
    package init(_ errno: Errno) {
        self = Self.table[errno.rawValue] ?? .permanent
    }

    /// Linux's numbers, each once.
    package static let table: [CInt: StorageFault] = {
        var table: [CInt: StorageFault] = [:]
        for (fault, numbers) in [(passing, passingNumbers), (full, fullNumbers), (permanent, permanentNumbers)] {
            for number in numbers { table[number] = fault }
        }
        // What is left of those that there are is about processes, streams, semaphores, terminals and addresses.
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
    /// What it means for an export that is being written.
    package var fault: StorageFault {
        switch code {
        case .storageFull: .full
        // What stood in the place of a partial archive is removed with it; a directory that is not mounted may be, later.
        case .damaged, .missing, .wrongStore: .passing
        case .storageFailed: errno.map { StorageFault($0) } ?? .passing
        }
    }
}
