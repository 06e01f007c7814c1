import Archive
import Foundation
import Synchronization
import SystemPackage

/// System calls of which the n-th fails, or the n-th and all later ones. A write that fails has written half of its bytes.
final class FailingCalls: FileSystemCalls {
    private let system = SystemCalls()
    private let fatal: Int
    private let error: Errno
    private let isLasting: Bool
    private let state = Mutex((made: [String](), failed: String?.none))

    /// - Parameters:
    ///   - fatal: the number of the call that fails, from 1.
    ///   - isLasting: every later call fails as well. If false, removing a file neither counts nor fails.
    init(fatal: Int, error: Errno, isLasting: Bool = false) {
        self.fatal = fatal
        self.error = error
        self.isLasting = isLasting
    }

    /// The name of the first call that failed; nil if none failed.
    var failed: String? { state.withLock { $0.failed } }

    /// The names of the calls, in order.
    var made: [String] { state.withLock { $0.made } }

    private func count(_ name: String) throws(Errno) {
        let isFatal = state.withLock { state in
            state.made.append(name)
            if state.made.count == fatal { state.failed = name }
            return isLasting ? state.made.count >= fatal : state.made.count == fatal
        }
        if isFatal { throw error }
    }

    func makeDirectory(_ path: FilePath, mode: CInterop.Mode) throws(Errno) {
        try count("mkdir")
        try system.makeDirectory(path, mode: mode)
    }

    func changeMode(_ path: FilePath, mode: CInterop.Mode) throws(Errno) {
        try count("chmod")
        try system.changeMode(path, mode: mode)
    }

    func changeMode(_ file: FileDescriptor, mode: CInterop.Mode) throws(Errno) {
        try count("fchmod")
        try system.changeMode(file, mode: mode)
    }

    func create(_ path: FilePath, mode: CInterop.Mode) throws(Errno) -> FileDescriptor {
        try count("open")
        return try system.create(path, mode: mode)
    }

    func write(_ bytes: Span<UInt8>, to file: FileDescriptor) throws(Errno) {
        do {
            try count("write")
        } catch {
            try system.write(bytes.extracting(first: bytes.count / 2), to: file)
            throw error
        }
        try system.write(bytes, to: file)
    }

    func sync(_ file: FileDescriptor) throws(Errno) {
        try count("fsync")
        try system.sync(file)
    }

    func rename(_ path: FilePath, to target: FilePath) throws(Errno) {
        try count("rename")
        try system.rename(path, to: target)
    }

    func unlink(_ path: FilePath) throws(Errno) {
        if isLasting { try count("unlink") }
        try system.unlink(path)
    }
}
