private import Dispatch
private import Glibc

/// Divides a stream of bytes into lines, and stores at most one unfinished line. A pure value.
///
/// `\n` ends a line, a `\r` before it is removed, and lines of white space are skipped. A line that exceeds the limit, or that
/// shows another framing (``Framing``), is reported once and dropped up to its end. The next line is read as usual. Another
/// framing is reported as soon as it is recognized, because the end of the line may never come.
package struct LineFramer {
    /// What the input contains next.
    package enum Event: Equatable, Sendable {
        /// A line, without the line feed.
        case line([UInt8])
        /// A line that exceeds the limit. Its bytes are dropped.
        case tooLong
        /// A line that shows another framing. Its bytes are dropped.
        case misframed(Framing)
    }

    private let limit: Int
    private var partial: [UInt8] = []
    /// The index of the first zero byte in `partial`.
    private var zero: Int?
    private var isDiscarding = false
    /// The bytes that ``next()`` has not examined yet.
    private var rest: ArraySlice<UInt8> = []

    /// - Parameter limit: the maximum number of bytes in a line.
    package init(limit: Int) {
        self.limit = limit
    }

    /// Whether a line has begun and has not ended.
    package var isWithinLine: Bool { isDiscarding || !partial.isEmpty }

    /// Whether there is an unfinished line that is more than white space and was not dropped.
    package var isUnfinished: Bool { !Self.isBlank(partial) }

    /// The number of stored bytes of the unfinished line.
    package var partialBytes: Int { partial.count }

    /// Drops the unfinished line up to its end.
    package mutating func dropLine() {
        guard isWithinLine else { return }
        partial = []
        zero = nil
        isDiscarding = true
    }

    /// Adds the next bytes and returns the events that they complete.
    package mutating func append(_ bytes: [UInt8]) -> [Event] {
        feed(bytes)
        var events: [Event] = []
        while let event = next() { events.append(event) }
        return events
    }

    /// Adds the next bytes. Call it only after ``next()`` has returned nil for the bytes before.
    package mutating func feed(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    /// Returns the next event; nil if the bytes are used up.
    package mutating func next() -> Event? {
        while !rest.isEmpty {
            let end = Self.first(UInt8(ascii: "\n"), in: rest)
            let part = rest[..<(end ?? rest.endIndex)]
            if !isDiscarding, let fault = take(part) {
                // Frees the buffer: one long line must not occupy memory for the life of the connection.
                dropLine()
                // The next call drops the rest of the line.
                rest = rest[(end ?? rest.endIndex)...]
                return fault
            }
            guard let end else { break }
            rest = rest[(end + 1)...]
            if isDiscarding {
                isDiscarding = false
            } else if let line = takeLine() {
                return .line(line)
            }
        }
        rest = []
        return nil
    }

    /// The index of the first byte with this value. All input passes through here, and memchr(3) is twenty times as fast as
    /// `firstIndex(of:)`.
    private static func first(_ byte: UInt8, in bytes: ArraySlice<UInt8>) -> Int? {
        // SAFETY: memchr reads the given number of bytes and returns a pointer to one of them.
        unsafe bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress, let place = unsafe memchr(base, CInt(byte), buffer.count) else {
                return nil
            }
            return unsafe bytes.startIndex + (UnsafeRawPointer(place) - base)
        }
    }

    /// Adds to the line, up to the limit.
    ///
    /// - Returns: the fault of the line. Another framing within the limit takes precedence over the length, so that the result
    ///   does not depend on where the stream is cut.
    private mutating func take(_ part: ArraySlice<UInt8>) -> Event? {
        let seen = partial.count
        partial.append(contentsOf: part.prefix(limit - seen))
        if zero == nil { zero = Self.first(0, in: partial[seen...]) }
        if let framing = Framing(of: partial, from: seen, zero: zero) { return .misframed(framing) }
        return seen + part.count > limit ? .tooLong : nil
    }

    private mutating func takeLine() -> [UInt8]? {
        defer {
            partial = []
            zero = nil
        }
        if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
        return Self.isBlank(partial) ? nil : partial
    }

    private static func isBlank(_ line: [UInt8]) -> Bool {
        line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    }
}

/// Scans long lines one after another, outside of the threads that serve all connections.
///
/// A caller with many connections can send long lines on all of them at once. On the shared threads, each scan would occupy a
/// thread. Here the scans wait for each other, and the shared threads stay free for short requests.
actor LongLines {
    static let shared = LongLines()

    private let queue = Queue()
    // SAFETY: the actor owns the executor, which therefore lives as long as the actor.
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe queue.asUnownedSerialExecutor() }

    func scan(_ line: [UInt8], depth: Int) throws(JSONFault) -> JSONDocument {
        try JSONDocument(scanning: line, depth: depth)
    }

    private final class Queue: SerialExecutor {
        private let queue = DispatchQueue(label: "long-lines")

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            // SAFETY: the closure retains this executor until the job has run, and runs the job once.
            queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
        }
    }
}
