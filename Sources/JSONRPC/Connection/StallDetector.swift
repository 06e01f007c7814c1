/// How a peer keeps a connection without using it.
package enum Stall: String, Sendable {
    /// The peer does not read output that waits for it.
    case notReading = "not reading"
    /// The peer has begun a line and does not end it.
    case unfinishedLine = "unfinished line"
}

/// Decides when a peer has left a line unfinished, or its output unread, for too long.
///
/// A pure value: the connection reports each event with its time, and calls ``check(unread:at:)`` at the time of ``nextCheck(after:)``.
struct StallDetector: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// From a line's first byte to its end.
    private let partialLine: Duration
    /// Without a read of the peer while output waits.
    private let unreadOutput: Duration
    /// The time of the first byte of the unfinished line.
    private var lineBegan: Instant?
    /// While the reader waits, the rest of the line may have arrived already, so the peer is not to blame.
    private var isReaderWaiting = false
    /// Since when the peer has read nothing of the output that waits.
    private var outputBegan: Instant?
    /// What was unread at the last check.
    private var unread: Int?

    init(partialLine: Duration, unreadOutput: Duration) {
        self.partialLine = partialLine
        self.unreadOutput = unreadOutput
    }

    private var isWaitingForLine: Bool { lineBegan != nil && !isReaderWaiting }

    /// Whether the connection waits for the peer.
    var isWaiting: Bool { isWaitingForLine || outputBegan != nil }

    /// - Parameter isLineComplete: whether the bytes completed a line, so that a line that is unfinished now began with them.
    mutating func received(isLineComplete: Bool, isWithinLine: Bool, at now: Instant) {
        if isLineComplete { lineBegan = nil }
        lineBegan = isWithinLine ? lineBegan ?? now : nil
    }

    mutating func readerWaits(_ isReaderWaiting: Bool, at now: Instant) {
        self.isReaderWaiting = isReaderWaiting
        if !isReaderWaiting, lineBegan != nil { lineBegan = now }
    }

    /// The transport gets the next piece of output.
    mutating func outputBegan(at now: Instant) {
        outputBegan = now
        unread = nil
    }

    /// The operating system has taken the piece.
    mutating func outputTaken() {
        outputBegan = nil
    }

    /// The time of the next check; nil if the connection does not wait for the peer.
    ///
    /// It is never later than the shortest limit allows for an event that happens now, so one timer is enough.
    func nextCheck(after now: Instant) -> Instant? {
        guard isWaiting else { return nil }
        var next = now + min(partialLine, unreadOutput / 4)
        if isWaitingForLine, let lineBegan { next = min(next, lineBegan + partialLine) }
        if let outputBegan { next = min(next, outputBegan + unreadOutput) }
        return next
    }

    /// - Parameter unread: what the operating system keeps for the peer, in bytes. A slow peer reads a part of it long before the system
    ///   takes a whole piece.
    mutating func check(unread: Int, at now: Instant) -> Stall? {
        if let began = outputBegan {
            if let last = self.unread, unread < last {
                outputBegan = now
            } else if began + unreadOutput <= now {
                return .notReading
            }
            self.unread = unread
        }
        if isWaitingForLine, let lineBegan, lineBegan + partialLine <= now { return .unfinishedLine }
        return nil
    }
}
