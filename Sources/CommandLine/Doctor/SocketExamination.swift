private import Foundation

/// Checks in the file system that the socket exists and that this user may connect to it.
///
/// SAFETY, for every `unsafe` here: the system reads the path, and fills one structure or as many groups as it is told, during the call.
/// What it returns of the user database is copied before the next call.
struct SocketExamination {
    let path: String

    /// - Returns: the findings, and whether a connection can succeed.
    func findings() -> (all: [Finding], mayConnect: Bool) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return ([missing(errno)], false) }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            return (
                [
                    .failure(
                        "socket", "\(path) is not a socket",
                        "Remove it, and restart the socket: systemctl restart adminexport.socket")
                ], false
            )
        }
        var all = [socket(status)]
        let access = access(status)
        all.append(access)
        return (all, access.level != .failure)
    }

    private func missing(_ error: Int32) -> Finding {
        if error == EACCES {
            return .failure(
                "socket", "this user may not search a directory of the path \(path)",
                "Set the mode of its directories to 0755, or name another socket.")
        }
        return .failure(
            "socket", "there is no socket at \(path)",
            "Start it: systemctl enable --now adminexport.socket; or name another with --socket or ADMINEXPORT_SOCKET.")
    }

    private func socket(_ status: stat) -> Finding {
        let mode = String(status.st_mode & 0o7777, radix: 8)
        let found = "\(path), mode \(mode), owner \(Self.user(status.st_uid)), group \(Self.group(status.st_gid))"
        guard status.st_mode & S_IWOTH == 0 else {
            return .warning(
                "socket", found + ": every user may connect",
                "Set the mode 0660 (SocketMode= of adminexport.socket), unless callers in the configuration limits what each user may do."
            )
        }
        return .ok("socket", found)
    }

    private func access(_ status: stat) -> Finding {
        let groups = Self.ownGroups()
        let names = groups.map(Self.group).joined(separator: ", ")
        let me = "\(Self.user(geteuid())), with the groups \(names)"
        guard unsafe Foundation.access(path, W_OK) != 0 else { return .ok("you", me) }
        let group = Self.group(status.st_gid)
        if Self.isListed(geteuid(), in: status.st_gid), !groups.contains(status.st_gid) {
            return .failure(
                "you", me + ": your account is in \(group), but this session began before that",
                "Log in again, or run in this shell: newgrp \(group)")
        }
        return .failure(
            "you", me + ": not in \(group), whose members may connect",
            "Ask an administrator to run: adduser \(Self.user(geteuid())) \(group); then log in again.")
    }

    private static func ownGroups() -> [gid_t] {
        var groups = [gid_t](repeating: 0, count: 65_536)
        let count = unsafe getgroups(Int32(groups.count), &groups)
        let own = [getegid()] + groups.prefix(max(0, Int(count))).sorted()
        return own.enumerated().filter { own.firstIndex(of: $0.element) == $0.offset }.map(\.element)
    }

    /// Whether the user is in the group according to the user database. This process may have other groups.
    private static func isListed(_ uid: uid_t, in gid: gid_t) -> Bool {
        guard let user = unsafe getpwuid(uid)?.pointee else { return false }
        var groups = [gid_t](repeating: 0, count: 65_536)
        var count = Int32(groups.count)
        guard unsafe getgrouplist(user.pw_name, user.pw_gid, &groups, &count) >= 0 else { return false }
        return groups.prefix(Int(count)).contains(gid)
    }

    private static func user(_ uid: uid_t) -> String {
        unsafe getpwuid(uid).map { unsafe String(cString: $0.pointee.pw_name) } ?? "\(uid)"
    }

    private static func group(_ gid: gid_t) -> String {
        unsafe getgrgid(gid).map { unsafe String(cString: $0.pointee.gr_name) } ?? "\(gid)"
    }
}
