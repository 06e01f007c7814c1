import Archive
import Foundation
import Synchronization
import SystemPackage

/// System calls that do not return for some file names until they are released, as on a disk that hangs in places.
final class HangingCalls: FileSystemCalls {
    private let system = SystemCalls()
    private let names: Set<String>
    private let gate = NSCondition()
    // Protected by the condition's lock.
    nonisolated(unsafe) private var isOpen = false
    private let waiting = Mutex(0)
    private let contents: Set<String>
    /// The number of reads of each file whose content hangs, by descriptor.
    private let reads = Mutex<[Int32: Int]>([:])

    private let deniedDirectory: String?
    private let deniedRemoval: String?

    /// - Parameters:
    ///   - names: the file names on which calls hang.
    ///   - contents: the names of archives that can be opened, but whose content hangs.
    ///   - deniedDirectory: the name of a directory that cannot be read.
    ///   - deniedRemoval: the name of a directory from which no file can be removed.
    init(
        _ names: Set<String>, contents: Set<String> = [], denyingDirectory deniedDirectory: String? = nil,
        denyingRemovalBelow deniedRemoval: String? = nil
    ) {
        self.names = names
        self.contents = contents
        self.deniedDirectory = deniedDirectory
        self.deniedRemoval = deniedRemoval
    }

    deinit {
        release()
    }

    /// The number of calls that hang.
    var count: Int { waiting.withLock { $0 } }

    func release() {
        gate.lock()
        isOpen = true
        gate.broadcast()
        gate.unlock()
    }

    private func pass(_ path: FilePath) {
        guard let name = path.lastComponent?.string, names.contains(name) else { return }
        wait()
    }

    private func wait() {
        waiting.withLock { $0 += 1 }
        gate.lock()
        while !isOpen { gate.wait() }
        gate.unlock()
        waiting.withLock { $0 -= 1 }
    }

    func open(_ path: FilePath) throws(Errno) -> FileDescriptor {
        pass(path)
        let file = try system.open(path)
        let hangs = path.lastComponent.map { contents.contains($0.string) } ?? false
        reads.withLock { $0[file.rawValue] = hangs ? 0 : nil }
        return file
    }

    func read(_ file: FileDescriptor, at offset: Int64, into bytes: inout OutputSpan<UInt8>) throws(Errno) {
        let count: Int? = reads.withLock { reads in
            guard let count = reads[file.rawValue] else { return nil }
            reads[file.rawValue] = count + 1
            return count
        }
        // Opening an archive reads the footer, the table and a frame's header.
        if let count, count >= 3 { wait() }
        try system.read(file, at: offset, into: &bytes)
    }

    func space(_ path: FilePath) throws(Errno) -> statvfs {
        pass(path)
        return try system.space(path)
    }

    func openDirectory(_ path: FilePath, isRoot: Bool) throws(Errno) -> FileDescriptor {
        if let name = path.lastComponent?.string, name == deniedDirectory { throw .permissionDenied }
        return try system.openDirectory(path, isRoot: isRoot)
    }

    func unlink(_ path: FilePath) throws(Errno) {
        if path.components.contains(where: { $0.string == deniedRemoval }) { throw .permissionDenied }
        pass(path)
        try system.unlink(path)
    }
}
