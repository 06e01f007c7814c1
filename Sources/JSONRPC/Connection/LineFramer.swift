private import Dispatch
private import Glibc

/// Cuts a stream of bytes into lines, of which no more than one is kept.
///
/// A pure value. `\n` ends a line, a `\r` before it is dropped, and lines of spaces are skipped. A line over the limit is
/// dropped to its end, told of once, and the next one is read as if nothing had been. So is a line in which messages are
/// divided otherwise (``Framing``): told of as soon as that can be seen, since its end may never come.
package struct LineFramer {
    /// What the input contains next.
    package enum Event: Equatable, Sendable {
        /// A line, without its end.
        case line([UInt8])
        /// A line that exceeds the limit. Its bytes are dropped.
        case tooLong
        /// The beginning of a message that is framed in another way.
        case misframed(Framing)
    }

    private let limit: Int
    private var partial: [UInt8] = []
    /// The place of the first zero byte in it.
    private var zero: Int?
    private var isDiscarding = false
    /// What has come and not been looked at.
    private var rest: ArraySlice<UInt8> = []

    /// - Parameter limit: bytes of a line.
    package init(limit: Int) {
        self.limit = limit
    }

    /// Whether a line has begun and not ended.
    package var isWithinLine: Bool { isDiscarding || !partial.isEmpty }

    /// Whether a line has begun and not ended in which there is more than white space, and which is not dropped.
    package var isUnfinished: Bool { !Self.isBlank(partial) }

    /// How many bytes of a line that has not ended are kept.
    package var partialBytes: Int { partial.count }

    /// Drops the line that has begun, to its end.
    package mutating func dropLine() {
        guard isWithinLine else { return }
        partial = []
        zero = nil
        isDiscarding = true
    }

    /// Takes the next bytes and gives the lines that they complete.
    package mutating func append(_ bytes: [UInt8]) -> [Event] {
        feed(bytes)
        var events: [Event] = []
        while let event = next() { events.append(event) }
        return events
    }

    /// Takes the next bytes, of which ``next()`` gives the lines. Only when it has given all of them.
    package mutating func feed(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    /// The next line that is complete, or why there is none.
    package mutating func next() -> Event? {
        while !rest.isEmpty {
            let end = Self.first(UInt8(ascii: "\n"), in: rest)
            let part = rest[..<(end ?? rest.endIndex)]
            if !isDiscarding, let fault = take(part) {
                // Freed, not kept: one long line must not cost its size for ever.
                dropLine()
                // What is left of it is dropped by the next call.
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

    /// The first byte of a kind. Each byte of each caller goes through here, and memchr(3) is twenty times as fast as
    /// `firstIndex(of:)`.
    private static func first(_ byte: UInt8, in bytes: ArraySlice<UInt8>) -> Int? {
        // SAFETY: memchr reads the given number of bytes, and what it finds is one of them.
        unsafe bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress, let place = unsafe memchr(base, CInt(byte), buffer.count) else {
                return nil
            }
            return unsafe bytes.startIndex + (UnsafeRawPointer(place) - base)
        }
    }

    /// Adds to the line, up to the limit. However the bytes are cut, what comes first in them is told of.
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

/// Scans long lines one after the other, on a thread of its own.
///
/// A caller with many connections can send long lines on all of them at once. On the threads that serve everybody each would
/// hold one up for as long as a scan takes; here they wait for each other, and those threads stay free for short requests.
actor LongLines {
    static let shared = LongLines()

    private let queue = Queue()
    // SAFETY: the actor keeps the executor.
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe queue.asUnownedSerialExecutor() }

    func scan(_ line: [UInt8], depth: Int) throws(JSONFault) -> JSONDocument {
        try JSONDocument(scanning: line, depth: depth)
    }

    private final class Queue: SerialExecutor {
        private let queue = DispatchQueue(label: "long-lines")

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            // SAFETY: the closure keeps this executor until the job has run, and runs it once.
            queue.async { unsafe job.runSynchronously(on: self.asUnownedSerialExecutor()) }
        }
    }
}
