private import CSockets
private import Glibc
private import SystemPackage

/// A file descriptor with one owner, closed when it goes.
package struct OwnedDescriptor: ~Copyable {
    /// The descriptor. The owner keeps it open.
    package let raw: Int32

    /// Takes over a descriptor, and closes it at the end.
    package init(adopting raw: Int32) {
        self.raw = raw
    }

    deinit {
        close(raw)
    }

    /// Gives the descriptor away: it is not closed here any more.
    package consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }
}

/// An open file on its way from one process to another: closed when the last reference goes, unless it is taken.
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

    /// Takes the descriptor over.
    package init(adopting raw: Int32) {
        owner = Owned(OwnedDescriptor(adopting: raw))
        self.raw = raw
        passed = nil
    }

    /// Keeps the object that owns the descriptor for as long as it is on its way.
    ///
    /// - Parameter passed: called when the system has taken it for the peer.
    package init(_ raw: Int32, of owner: some AnyObject & Sendable, passed: (@Sendable () -> Void)? = nil) {
        self.owner = owner
        self.raw = raw
        self.passed = passed
    }

    func wasPassed() {
        passed?()
    }

    /// A descriptor of the caller's own for the same open file.
    ///
    /// - Throws: ``SocketError`` where this process may have no more.
    package func duplicate() throws(SocketError) -> Int32 {
        let copy = fcntl(raw, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SocketError(errno: Errno(rawValue: errno), "a descriptor cannot be kept") }
        return copy
    }
}
