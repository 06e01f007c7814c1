private import Synchronization
package import SystemPackage

/// A workbook that is handed out: a descriptor with one owner, and what it gives.
package final class OpenedFile: Sendable {
    package let descriptor: FileDescriptor
    /// Bytes of the whole workbook.
    package let size: Int
    /// Bytes of its archive.
    package let archiveSize: Int
    private let delivery: Delivery?
    private let isPassed = Atomic(false)

    init(adopting descriptor: FileDescriptor, size: Int, archiveSize: Int, delivery: Delivery?) {
        self.descriptor = descriptor
        self.size = size
        self.archiveSize = archiveSize
        self.delivery = delivery
    }

    /// The system has taken the descriptor for the peer.
    package func wasPassed() {
        isPassed.store(true, ordering: .releasing)
    }

    deinit {
        // Before the descriptor is closed, which the pipe's writer sees.
        if !isPassed.load(ordering: .acquiring) { delivery?.failed(.notSent) }
        try? descriptor.close()
    }
}

/// An offset that the workbook does not reach.
package struct OffsetBeyondEnd: Error, Sendable {
    /// Bytes of the workbook.
    package let size: Int
}
