private import CSockets
private import Glibc
private import SystemPackage

/// System calls on a connected Unix-domain socket that NIO lacks. Another owner keeps the descriptor open. No call waits.
package struct ConnectedSocket {
    private let raw: Int32

    /// - Parameter raw: a descriptor that stays open while this value is used.
    package init(borrowing raw: Int32) {
        self.raw = raw
    }

    /// Prevents that programs that this process starts inherit the descriptor. NIO accepts connections without SOCK_CLOEXEC.
    package func setCloseOnExec() {
        _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
    }

    /// The result of an attempt to send.
    package enum Sent: Equatable {
        /// The system took this number of bytes, and the descriptor.
        case bytes(Int)
        /// The system takes nothing until the peer reads.
        case full
        /// The system takes nothing because it is short of memory, or because the user has too many descriptors in transit
        /// (unix(7)). It does not report when this changes.
        case exhausted
    }

    /// Sends bytes, and a descriptor with the first of them.
    ///
    /// - Throws: ``SocketError/Code/closed`` if the peer is gone.
    package func send(_ bytes: ArraySlice<UInt8>, _ passed: PassedDescriptor) throws(SocketError) -> Sent {
        while true {
            // SAFETY: the system reads the bytes during the call.
            let count = unsafe bytes.withUnsafeBytes {
                unsafe csockets_send_descriptor(raw, $0.baseAddress, $0.count, passed.raw)
            }
            if count > 0 {
                passed.wasPassed()
                return .bytes(count)
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .full
            case ENOBUFS, ENOMEM, ETOOMANYREFS: return .exhausted
            default: throw SocketError(.closed, "the peer closed the connection")
            }
        }
    }

    /// Sends a last message, as far as the system takes it without waiting.
    package func sendLast(_ bytes: [UInt8]) {
        // SAFETY: the system reads the bytes during the call.
        _ = unsafe Glibc.send(raw, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    /// The bytes that the peer has not read yet, including the kernel's overhead.
    package var unread: Int { Int(csockets_unread(raw)) }
}
