internal import SystemPackage

/// An archive that is being written. Its deinit removes the file unless it was published.
package final class PartialArchive: ArchiveOutput {
    private let store: ArchiveStore
    private let file: FileDescriptor
    private let partial: FilePath
    private let path: FilePath
    private var isPublished = false

    init(store: ArchiveStore, file: FileDescriptor, partial: FilePath, path: FilePath) {
        self.store = store
        self.file = file
        self.partial = partial
        self.path = path
    }

    deinit {
        try? file.close()
        if !isPublished { try? store.calls.unlink(partial) }
    }

    /// Appends bytes to the file.
    ///
    /// - Throws: ``ArchiveError``
    package func write(_ bytes: Span<UInt8>) throws {
        try storage("writing an archive") { try store.calls.write(bytes, to: file) }
    }

    /// Syncs the file, gives it its name and syncs the directory.
    ///
    /// - Throws: ``ArchiveError``; if only the last step fails, the file is removed again.
    package func publish() throws {
        try storage("syncing an archive") { try store.calls.sync(file) }
        try storage("renaming an archive") { try store.calls.rename(partial, to: path) }
        isPublished = true
        do {
            try store.sync(path.removingLastComponent())
        } catch {
            try? store.calls.unlink(path)
            throw error
        }
    }
}
