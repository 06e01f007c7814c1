private import CXattr
private import Foundation

/// The permissions of a file: its owner, its mode, and its access control list if it has one (acl(5)).
///
/// SAFETY, for every `unsafe` here: the system reads the path and the names, and fills one structure or no more than the given number of
/// bytes, during the call.
struct FileAccess {
    /// The extended attribute that has the list on Linux.
    private static let listName = "system.posix_acl_access"

    private enum List {
        case none
        case entries([UInt8])
        /// There may be a list, but it cannot be read.
        case unknown
    }

    private let owner: uid_t
    private let group: gid_t
    private let mode: mode_t
    private let list: List

    /// The permissions of a regular file; nil if there is none at the path.
    init?(of path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        owner = status.st_uid
        group = status.st_gid
        // Without set-user-ID and set-group-ID, because new content must not run as another user.
        mode = status.st_mode & 0o777
        list = Self.list(of: path)
    }

    private static func list(of path: String) -> List {
        // The size of an extended attribute is limited to 64 KiB (xattr(7)).
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe getxattr(path, listName, &bytes, bytes.count)
        if count > 0 { return .entries(Array(bytes.prefix(count))) }
        return count == 0 || errno == ENODATA || errno == EOPNOTSUPP ? .none : .unknown
    }

    /// Gives the permissions to an open file with the mode 0600, as far as this user may. Nobody gets more access than before.
    func apply(to descriptor: Int32) {
        // The default entries of the folder have no effect with the mode 0600, but would have with another.
        unsafe fremovexattr(descriptor, Self.listName)
        let kept = keepOwner(descriptor)
        switch list {
        case .none: fchmod(descriptor, Self.mode(mode, ownerKept: kept.owner, groupKept: kept.group))
        case .entries(let bytes) where kept.owner && kept.group:
            // With a list, the group bits of the mode are a mask and not the permissions of the group.
            if unsafe fsetxattr(descriptor, Self.listName, bytes, bytes.count, 0) != 0 { fchmod(descriptor, mode & 0o700) }
        case .entries, .unknown: fchmod(descriptor, mode & 0o700)
        }
    }

    private func keepOwner(_ descriptor: Int32) -> (owner: Bool, group: Bool) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return (false, false) }
        let isOwners = status.st_uid == owner
        if isOwners && status.st_gid == group || fchown(descriptor, owner, group) == 0 { return (true, true) }
        // A user may give a file to any of their groups, but not to another user.
        let isGroups = status.st_gid == group || fchown(descriptor, uid_t.max, group) == 0
        return (isOwners, isGroups)
    }

    /// The mode under another owner or group: a user who is in another class now gets no more access than before.
    static func mode(_ mode: UInt32, ownerKept: Bool, groupKept: Bool) -> UInt32 {
        let owner = mode >> 6 & 7
        var group = mode >> 3 & 7
        var others = mode & 7
        if !ownerKept {
            group &= owner
            others &= owner
        }
        if !groupKept {
            others &= group
            group = 0
        }
        return owner << 6 | group << 3 | others
    }
}
