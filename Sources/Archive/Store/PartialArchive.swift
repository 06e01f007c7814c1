private import Glibc
internal import SystemPackage

/// An archive that is being written. It is published or it is gone: one that is dropped removes its file.
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
        if !isPublished { unlink(partial.string) }
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        try storage("writing an archive") { _ = try file.writeAll(bytes) }
    }

    /// Makes the file durable under its name.
    package func publish() throws {
        try storage("syncing an archive") { try file.sync() }
        guard rename(partial.string, path.string) == 0 else {
            throw ArchiveError(Errno(rawValue: errno), "renaming an archive")
        }
        isPublished = true
        do {
            try store.sync(path.removingLastComponent())
        } catch {
            unlink(path.string)
            throw error
        }
    }
}
