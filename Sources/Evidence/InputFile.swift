private import Foundation

/// A file that is read once, from its beginning. It is opened under the path as it is given, and never waits for a writer.
///
/// SAFETY, for every `unsafe` here: the system reads the path, fills one structure, or fills no more bytes than the array has.
package struct InputFile: ~Copyable {
    /// What a path may lead to.
    package enum Kind: Sendable {
        /// A regular file.
        case regular
        /// A regular file or a pipe, such as `<(…)` of a shell.
        case regularOrPipe
    }

    /// The path leads to no file of the kind, or the file cannot be read.
    package struct Unreadable: Error, Sendable {
        /// Why, for people.
        package let reason: String
    }

    private let descriptor: Int32

    /// Opens a file.
    package init(_ path: String, _ kind: Kind) throws(Unreadable) {
        // The property gets its value last: an initializer that throws after that would also close it.
        let opened = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard opened >= 0 else { throw Unreadable(reason: unsafe String(cString: strerror(errno))) }
        var status = stat()
        let type = unsafe fstat(opened, &status) == 0 ? status.st_mode & S_IFMT : 0
        guard type == S_IFREG || kind == .regularOrPipe && type == S_IFIFO else {
            close(opened)
            throw Unreadable(reason: "it is not a regular file")
        }
        // A pipe without a writer is empty. One with a writer is waited for.
        _ = fcntl(opened, F_SETFL, 0)
        descriptor = opened
    }

    deinit { close(descriptor) }

    /// Reads the next bytes; none at the end.
    ///
    /// - Parameter count: the maximum.
    package mutating func read(upTo count: Int) throws(Unreadable) -> [UInt8] {
        var failure: Int32?
        let bytes = [UInt8](capacity: count) { bytes in
            unsafe bytes.withUnsafeMutableBufferPointer { buffer, initialized in
                let length = unsafe Foundation.read(descriptor, buffer.baseAddress, count)
                if length < 0 { failure = errno }
                initialized = max(0, length)
            }
        }
        if let failure { throw Unreadable(reason: unsafe String(cString: strerror(failure))) }
        return bytes
    }

    /// Reads the rest.
    ///
    /// - Parameter maxBytes: the maximum size.
    /// - Returns: nil if there is more.
    package mutating func contents(maxBytes: Int) throws(Unreadable) -> [UInt8]? {
        var all: [UInt8] = []
        while true {
            let part = try read(upTo: min(1 << 16, maxBytes + 1 - all.count))
            if part.isEmpty { return all }
            all += part
            if all.count > maxBytes { return nil }
        }
    }
}
