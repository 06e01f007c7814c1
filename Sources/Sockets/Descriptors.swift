private import CSockets
private import Glibc
private import SystemPackage

/// A file descriptor with one owner. `deinit` closes it.
package struct OwnedDescriptor: ~Copyable {
    /// The descriptor. The owner keeps it open.
    package let raw: Int32

    /// Takes ownership of a descriptor.
    package init(adopting raw: Int32) {
        self.raw = raw
    }

    deinit {
        close(raw)
    }

    /// Transfers the descriptor to the caller, who has to close it.
    package consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }
}

/// An open file that one process passes to another. The last reference closes it, or releases the object that owns it.
package final class PassedDescriptor: Sendable {
    private let owner: any AnyObject & Sendable
    /// The descriptor. The owner keeps it open.
    package let raw: Int32
    private let passed: (@Sendable () -> Void)?

    private final class Owned: Sendable {
        let descriptor: OwnedDescriptor

        init(_ descriptor: consuming OwnedDescriptor) {
            self.descriptor = descriptor
        }
    }

    /// Takes ownership of the descriptor.
    package init(adopting raw: Int32) {
        owner = Owned(OwnedDescriptor(adopting: raw))
        self.raw = raw
        passed = nil
    }

    /// Retains the object that owns the descriptor.
    ///
    /// - Parameter passed: called when the system has taken the descriptor for the peer.
    package init(_ raw: Int32, of owner: some AnyObject & Sendable, passed: (@Sendable () -> Void)? = nil) {
        self.owner = owner
        self.raw = raw
        self.passed = passed
    }

    func wasPassed() {
        passed?()
    }

    /// Creates another descriptor of the same open file. The caller has to close it.
    ///
    /// - Throws: ``SocketError`` if this process has too many open files.
    package func duplicate() throws(SocketError) -> Int32 {
        let copy = fcntl(raw, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SocketError(errno: Errno(rawValue: errno), "cannot duplicate a file descriptor") }
        return copy
    }
}
