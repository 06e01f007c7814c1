private import CSockets
private import SystemPackage

/// The identity of the peer of a Unix-domain socket, as the kernel recorded it at `connect`.
package struct PeerCredentials: Hashable, Sendable {
    /// The effective user ID at the time of `connect`.
    package let uid: UInt32
    /// The effective group ID at that time.
    package let gid: UInt32
    /// The process that connected. It may have ended since, or have passed the socket on.
    package let pid: Int32
    /// The primary and the supplementary groups.
    package let groups: Set<UInt32>

    /// The id that the kernel reports for every id that this user namespace does not map. It identifies nobody.
    package static let overflowID: UInt32 = 65_534

    /// Reads the identity from the kernel (SO_PEERCRED and SO_PEERGROUPS, socket(7)).
    ///
    /// - Throws: ``SocketError`` if the descriptor is not a connected Unix-domain socket.
    package init(of descriptor: Int32) throws(SocketError) {
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        var pid: Int32 = 0
        // SAFETY: the functions fill the three numbers, and no more groups than the array has.
        guard unsafe csockets_peer(descriptor, &uid, &gid, &pid) == 0 else {
            throw SocketError(.system, "the system does not report the identity of the peer")
        }
        // Few users are in more than 64 groups. 65,536 is the kernel's NGROUPS_MAX.
        var groups: [UInt32] = []
        var count: Int32 = -1
        for capacity in [64, 65_536] where count < 0 {
            groups = [UInt32](repeating: 0, count: capacity)
            count = unsafe csockets_peer_groups(descriptor, &groups, Int32(capacity))
        }
        self.uid = uid
        self.gid = gid
        self.pid = pid
        self.groups = Set(groups.prefix(max(0, Int(count)))).union([gid])
    }
}

/// The user namespace that this process is in.
package enum UserNamespace {
    /// A namespace that maps fewer ids than this does not distinguish people and services.
    private static let usual = 1_000

    /// Whether this process cannot distinguish users. The kernel reports 65534 for each user that the namespace does not map.
    /// With systemd's `PrivateUsers=`, the namespace maps only root and the user of the service.
    package static var isConfined: Bool {
        guard let file = try? FileDescriptor.open(FilePath("/proc/self/uid_map"), .readOnly) else { return false }
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        // SAFETY: the system fills no more than the array.
        let count = (try? unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(into: $0) }) ?? 0
        return isConfined(map: String(decoding: bytes.prefix(count), as: UTF8.self))
    }

    /// - Parameter map: in the format of user_namespaces(7): a line for each range, with its first id inside, its first id
    ///   outside, and its length.
    static func isConfined(map: String) -> Bool {
        let lengths = map.split(separator: "\n").compactMap { line in
            line.split(separator: " ").last.flatMap { Int($0) }
        }
        return !lengths.isEmpty && lengths.reduce(0, +) < usual
    }
}
