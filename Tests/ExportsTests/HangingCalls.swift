import Archive
import Foundation
import Synchronization
import SystemPackage

/// The system's calls, of which those on some names do not come back until they are released: a disk that hangs in places.
final class HangingCalls: FileSystemCalls {
    private let system = SystemCalls()
    private let names: Set<String>
    private let gate = NSCondition()
    // Under the condition's lock.
    nonisolated(unsafe) private var isOpen = false
    private let waiting = Mutex(0)

    init(_ names: Set<String>) {
        self.names = names
    }

    deinit {
        release()
    }

    /// How many calls hang.
    var count: Int { waiting.withLock { $0 } }

    func release() {
        gate.lock()
        isOpen = true
        gate.broadcast()
        gate.unlock()
    }

    private func pass(_ path: FilePath) {
        guard let name = path.lastComponent?.string, names.contains(name) else { return }
        waiting.withLock { $0 += 1 }
        gate.lock()
        while !isOpen { gate.wait() }
        gate.unlock()
        waiting.withLock { $0 -= 1 }
    }

    func open(_ path: FilePath) throws(Errno) -> FileDescriptor {
        pass(path)
        return try system.open(path)
    }

    func space(_ path: FilePath) throws(Errno) -> statvfs {
        pass(path)
        return try system.space(path)
    }

    func unlink(_ path: FilePath) throws(Errno) {
        pass(path)
        try system.unlink(path)
    }

    func makeDirectory(_ path: FilePath, mode: CInterop.Mode) throws(Errno) {
        try system.makeDirectory(path, mode: mode)
    }

    func changeMode(_ path: FilePath, mode: CInterop.Mode) throws(Errno) { try system.changeMode(path, mode: mode) }

    func changeMode(_ file: FileDescriptor, mode: CInterop.Mode) throws(Errno) { try system.changeMode(file, mode: mode) }

    func create(_ path: FilePath, mode: CInterop.Mode) throws(Errno) -> FileDescriptor {
        try system.create(path, mode: mode)
    }

    func write(_ bytes: UnsafeRawBufferPointer, to file: FileDescriptor) throws(Errno) { try system.write(bytes, to: file) }

    func sync(_ file: FileDescriptor) throws(Errno) { try system.sync(file) }

    func rename(_ path: FilePath, to target: FilePath) throws(Errno) { try system.rename(path, to: target) }
}
