private import Dispatch
import Glibc

/// A datagram socket in its own folder, like that of the service manager or the journal.
package final class DatagramReceiver: Sendable {
    package let path: String
    private let folder: String
    private let descriptor: Int32

    package init() {
        folder = "/tmp/adminexport-systemd-\(UInt32.random(in: 0...UInt32.max))"
        mkdir(folder, 0o700)
        path = folder + "/s"
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        precondition(bound == 0)
    }

    deinit {
        close(descriptor)
        unlink(path)
        rmdir(folder)
    }

    /// The next datagram; nil if none has arrived.
    package func receive() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 1 << 18)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : Array(bytes.prefix(count))
    }

    /// The next datagram as text; nil if none arrives within the time, in milliseconds.
    package func text(within time: Int32) async -> String? {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var entry = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
                _ = poll(&entry, 1, time)
                continuation.resume(returning: self.text())
            }
        }
    }

    package func text() -> String? {
        receive().map { String(decoding: $0, as: UTF8.self) }
    }
}
