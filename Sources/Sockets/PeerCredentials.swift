private import CSockets
private import SystemPackage

/// Who is at the other end of a Unix-domain socket, as the kernel knows it from the time of `connect`.
package struct PeerCredentials: Hashable, Sendable {
    /// The effective user ID at the time of `connect`.
    package let uid: UInt32
    /// The effective group ID at that time.
    package let gid: UInt32
    /// The process that connected. It may have ended since, or have passed the socket on.
    package let pid: Int32
    /// The primary and the supplementary groups.
    package let groups: Set<UInt32>

    /// What the kernel gives for an id that this user namespace does not have: nobody can be told apart by it.
    package static let overflowID: UInt32 = 65_534

    /// Asks the kernel (SO_PEERCRED and SO_PEERGROUPS, socket(7)).
    ///
    /// - Throws: ``SocketError`` where the descriptor is no connected Unix-domain socket.
    package init(of descriptor: Int32) throws(SocketError) {
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        var pid: Int32 = 0
        // SAFETY: the functions fill the three numbers, and as many groups as the array has.
        guard unsafe csockets_peer(descriptor, &uid, &gid, &pid) == 0 else {
            throw SocketError(.system, "the kernel does not report the peer's credentials")
        }
        // Few have more than the first; 65,536 is the kernel's NGROUPS_MAX.
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
    /// So many users at least are known where people and services have ids of their own.
    private static let usual = 1_000

    /// Whether users look alike to this process: the kernel says 65534 for each whom its namespace does not map, and with
    /// systemd's `PrivateUsers=` it maps but root and the service's own user.
    package static var isConfined: Bool {
        guard let file = try? FileDescriptor.open(FilePath("/proc/self/uid_map"), .readOnly) else { return false }
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        // SAFETY: the system fills no more than the array.
        let count = (try? unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(into: $0) }) ?? 0
        return isConfined(map: String(decoding: bytes.prefix(count), as: UTF8.self))
    }

    /// - Parameter map: as user_namespaces(7) has it, a line for each range: its first id inside, outside, and its length.
    static func isConfined(map: String) -> Bool {
        let lengths = map.split(separator: "\n").compactMap { line in
            line.split(separator: " ").last.flatMap { Int($0) }
        }
        return !lengths.isEmpty && lengths.reduce(0, +) < usual
    }
}
