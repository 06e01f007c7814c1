private import CSockets

/// Who is at the other end of a Unix-domain socket, as the kernel knows it from the time of `connect`.
package struct PeerCredentials: Hashable, Sendable {
    package let uid: UInt32
    package let gid: UInt32
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
        guard csockets_peer(descriptor, &uid, &gid, &pid) == 0 else {
            throw SocketError(.system, "the system does not say who has connected")
        }
        // Few have more than the first; 65,536 is the kernel's NGROUPS_MAX.
        var groups: [UInt32] = []
        var count: Int32 = -1
        for capacity in [64, 65_536] where count < 0 {
            groups = [UInt32](repeating: 0, count: capacity)
            count = csockets_peer_groups(descriptor, &groups, Int32(capacity))
        }
        self.uid = uid
        self.gid = gid
        self.pid = pid
        self.groups = Set(groups.prefix(max(0, Int(count)))).union([gid])
    }
}
