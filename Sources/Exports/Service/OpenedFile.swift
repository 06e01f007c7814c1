package import SystemPackage

/// A workbook that is handed out: a descriptor with one owner, and what it gives.
package final class OpenedFile: Sendable {
    package let descriptor: FileDescriptor
    /// Bytes of the whole workbook.
    package let size: Int
    /// Bytes of its archive.
    package let archiveSize: Int

    init(adopting descriptor: FileDescriptor, size: Int, archiveSize: Int) {
        self.descriptor = descriptor
        self.size = size
        self.archiveSize = archiveSize
    }

    deinit {
        try? descriptor.close()
    }
}

/// An offset that the workbook does not reach.
package struct OffsetBeyondEnd: Error, Sendable {
    /// Bytes of the workbook.
    package let size: Int
}
