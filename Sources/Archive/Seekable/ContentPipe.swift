private import Glibc
package import SystemPackage

/// The content of an archive, from an offset to its end, as a pipe that another process reads.
///
/// The pipe has back-pressure: the disk is read only as fast as the reader reads. ``feed(reading:while:)`` blocks, so it needs
/// a thread of its own.
package final class ContentPipe {
    /// How the writing ended.
    package enum End: Sendable {
        /// The pipe has taken all of the content.
        case complete
        /// The reading end is closed.
        case abandoned
        /// The reader read nothing within the timeout.
        case stalled
        /// The caller of ``feed(reading:while:)`` asked it to stop.
        case stopped
    }

    /// The interval at which ``feed(reading:while:)`` asks whether to stop.
    private static let pollInterval: Duration = .milliseconds(200)
    /// The requested capacity of the pipe, in bytes; the system may give less.
    private static let capacity = 256 * 1024
    /// F_SETPIPE_SZ (fcntl(2)), a macro that Swift does not import.
    private static let setPipeSize: Int32 = 1024 + 7

    private let reader: SeekableReader
    private let offset: Int
    private let timeout: Duration
    private let writeEnd: FileDescriptor
    private var readEnd: FileDescriptor?
    /// FIONREAD (ioctl_tty(2)), which Swift does not import on every system.
    private static let unreadBytes: UInt = 0x541B

    /// Bytes that the pipe has taken.
    package private(set) var written = 0

    /// Bytes that the reader has read, and bytes that it was to read.
    package var taken: (taken: Int, all: Int) { (written - unread, reader.size - offset) }

    /// Bytes in the pipe that the reader has not read.
    private var unread: Int {
        var count: Int32 = 0
        // SAFETY: the request writes one number.
        return unsafe ioctl(writeEnd.rawValue, Self.unreadBytes, &count) == 0 ? Int(count) : 0
    }

    /// - Parameters:
    ///   - offset: bytes from the start of the content, at most its size.
    ///   - timeout: how long the reader may read nothing.
    /// - Throws: ``ArchiveError`` if no pipe can be made.
    package init(_ reader: SeekableReader, from offset: Int, timeout: Duration) throws {
        precondition((0...reader.size).contains(offset))
        var ends: [Int32] = [-1, -1]
        // SAFETY: pipe writes two numbers.
        guard unsafe pipe(&ends) == 0 else { throw ArchiveError(Errno(rawValue: errno), "making a pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // O_NONBLOCK applies to the writing end only: the reading end is another open file description, and blocks as a reader
        // expects.
        _ = fcntl(ends[1], F_SETFL, O_WRONLY | O_NONBLOCK)
        _ = fcntl(ends[1], Self.setPipeSize, Int32(Self.capacity))
        self.reader = reader
        self.offset = offset
        self.timeout = timeout
        readEnd = FileDescriptor(rawValue: ends[0])
        writeEnd = FileDescriptor(rawValue: ends[1])
    }

    deinit {
        try? writeEnd.close()
        try? readEnd?.close()
    }

    /// Returns the reading end, once. The caller closes it.
    package func takeReadEnd() -> FileDescriptor? {
        readEnd.take()
    }

    /// Writes the content into the pipe until its end.
    ///
    /// - Parameters:
    ///   - reading: called with true before each read of the disk, and with false after it.
    ///   - isWanted: asked at intervals; false ends the writing.
    /// - Throws: ``ArchiveError`` if the archive cannot be read.
    package func feed(reading: (Bool) -> Void = { _ in }, while isWanted: () -> Bool) throws -> End {
        var at = offset
        while at < reader.size {
            reading(true)
            let part = try reader.part(at: at)
            reading(false)
            if let end = try write(part, isWanted) { return end }
            at += part.count
        }
        return .complete
    }

    /// Waits, after everything has been written, until the reader has read it or has closed the pipe. Blocks, as
    /// ``feed(reading:while:)`` does.
    ///
    /// The pipe's reader sees the end of the content only when the pipe is closed after this. So the interval between two
    /// polls is short at first, and grows with the time that has passed.
    ///
    /// - Parameter isWanted: asked at each poll; false ends the wait.
    /// - Returns: true if the reader is known to have closed the pipe before it had read all of it.
    package func readerLeaves(within limit: Duration, while isWanted: () -> Bool) -> Bool {
        let start = ContinuousClock.now
        while unread > 0, isWanted() {
            let elapsed = start.duration(to: .now)
            guard elapsed < limit else { return false }
            let wait = min(max(elapsed / 4, .milliseconds(1)), .milliseconds(50))
            // Without events poll(2) reports only that the reading end is closed.
            var entry = pollfd(fd: writeEnd.rawValue, events: 0, revents: 0)
            // SAFETY: one entry, as given.
            if unsafe poll(&entry, 1, Int32(wait / .milliseconds(1))) > 0 { return unread > 0 }
        }
        return false
    }

    /// Writes a part into the pipe.
    ///
    /// - Returns: why the writing ended; nil if the pipe has taken the part.
    private func write(_ part: ArraySlice<UInt8>, _ isWanted: () -> Bool) throws -> End? {
        var rest = part
        var progress = ContinuousClock.now
        while !rest.isEmpty {
            guard isWanted() else { return .stopped }
            // SAFETY: the system reads the bytes during the call, and below one entry, as given.
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(writeEnd.rawValue, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
                written += count
                progress = .now
                continue
            }
            switch errno {
            case EPIPE: return .abandoned
            case EINTR: continue
            case EAGAIN: break
            default: throw ArchiveError(Errno(rawValue: errno), "writing into a pipe")
            }
            guard progress.duration(to: .now) < timeout else { return .stalled }
            var entry = pollfd(fd: writeEnd.rawValue, events: Int16(POLLOUT), revents: 0)
            unsafe poll(&entry, 1, Int32(Self.pollInterval.components.attoseconds / 1_000_000_000_000_000))
        }
        return nil
    }
}

// One thread gets the whole value and nobody keeps it: see `Transfers`.
extension ContentPipe: @unchecked Sendable {}
