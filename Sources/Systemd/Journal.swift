private import Glibc
private import Sockets

/// The journal's own protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL): entries with fields.
package struct Journal: Sendable {
    package static let defaultSocket = "/run/systemd/journal/socket"
    /// Of a field's value, in bytes. An entry is one datagram, for which the kernel has some 200 KiB by default.
    static let longestValue = 16_384
    static let maxFields = 64

    private let socket: String

    package init(socket: String = defaultSocket) {
        self.socket = socket
    }

    /// Whether a file descriptor is the journal's, as `JOURNAL_STREAM` tells (systemd.exec(5)): device and inode of the socket
    /// that standard error was when the process was started.
    package static func isStream(_ descriptor: Int32, of environment: [String: String]) -> Bool {
        guard let words = environment["JOURNAL_STREAM"]?.split(separator: ":"), words.count == 2,
            let device = UInt64(words[0]), let inode = UInt64(words[1])
        else { return false }
        var status = stat()
        return fstat(descriptor, &status) == 0 && UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
    }

    /// - Returns: false where the journal did not take it.
    package func send(_ fields: [(name: String, value: String)]) -> Bool {
        Datagram.send(Self.encode(fields), to: socket)
    }

    /// Names are letters, digits and `_`, in capitals, begin with a letter and have 64 characters at most; others are left out.
    static func encode(_ fields: [(name: String, value: String)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (name, value) in fields.prefix(maxFields) where isName(name) {
            let value = Array(value.utf8.prefix(longestValue))
            bytes += name.utf8
            if value.contains(UInt8(ascii: "\n")) {
                bytes.append(UInt8(ascii: "\n"))
                bytes += (0..<8).map { UInt8(truncatingIfNeeded: value.count >> ($0 * 8)) }
            } else {
                bytes.append(UInt8(ascii: "="))
            }
            bytes += value
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    static func isName(_ name: String) -> Bool {
        guard (1...64).contains(name.utf8.count), let first = name.utf8.first,
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first)
        else { return false }
        return name.utf8.allSatisfy {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || $0 == UInt8(ascii: "_")
        }
    }
}

/// The severities of syslog(3).
package enum Priority: Int, Sendable {
    case critical = 2
    case error, warning, notice, info, debug
}
