private import Glibc
private import Sockets

/// A client of the journal's native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), whose entries have fields.
package struct Journal: Sendable {
    /// The address of journald's socket.
    package static let defaultSocket = "/run/systemd/journal/socket"
    /// The maximum size of a field's value, in bytes. An entry is one datagram, which by default can have some 200 KiB.
    static let longestValue = 16_384
    static let maxFields = 64

    private let socket: String

    /// A client of the journal at this socket.
    package init(socket: String = defaultSocket) {
        self.socket = socket
    }

    /// Whether a file descriptor is connected to the journal, according to `JOURNAL_STREAM` (systemd.exec(5)): the device and
    /// inode of the socket that standard error was when the process started.
    package static func isStream(_ descriptor: Int32, of environment: [String: String]) -> Bool {
        guard let words = environment["JOURNAL_STREAM"]?.split(separator: ":"), words.count == 2,
            let device = UInt64(words[0]), let inode = UInt64(words[1])
        else { return false }
        var status = stat()
        // SAFETY: the system fills one structure.
        return unsafe fstat(descriptor, &status) == 0 && UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
    }

    /// Sends one entry.
    ///
    /// - Returns: false if the journal did not accept the entry.
    package func send(_ fields: [(name: String, value: String)]) -> Bool {
        Datagram.send(Self.encode(fields), to: socket)
    }

    /// The entry as a datagram, with at most ``maxFields`` fields. Names consist of capital letters, digits and `_`, begin with
    /// a letter and have at most 64 characters; fields with other names are left out, longer values are cut.
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
    /// A failure that ends the process.
    case critical = 2
    /// The severities 3 to 7.
    case error, warning, notice, info, debug
}
