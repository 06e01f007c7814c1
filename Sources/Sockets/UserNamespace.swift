private import SystemPackage

/// The user namespace that this process is in.
package enum UserNamespace {
    /// So many users at least are known where people and services have ids of their own.
    private static let usual = 1_000

    /// Whether users look alike to this process: the kernel says 65534 for each whom its namespace does not map, and with
    /// systemd's `PrivateUsers=` it maps but root and the service's own user.
    package static var isConfined: Bool {
        guard let file = try? FileDescriptor.open("/proc/self/uid_map", .readOnly) else { return false }
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = (try? bytes.withUnsafeMutableBytes { try file.read(into: $0) }) ?? 0
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
