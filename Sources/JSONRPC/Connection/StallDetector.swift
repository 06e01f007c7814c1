/// How a peer occupies a connection without using it.
package enum Stall: String, Sendable {
    /// The peer does not read output that waits for it.
    case notReading = "not reading"
    /// The peer has begun a line and does not finish it.
    case unfinishedLine = "unfinished line"
}

/// Decides when a peer has left a line unfinished, or its output unread, for too long.
///
/// A pure value: the connection reports each event with its time, and calls ``check(unread:at:)`` at the time of
/// ``nextCheck(after:)``.
struct StallDetector: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// How long a line may take from its first byte to its end.
    private let partialLine: Duration
    /// How long the peer may read nothing while output waits for it.
    private let unreadOutput: Duration
    /// The time of the first byte of the unfinished line.
    private var lineBegan: Instant?
    /// Whether the reader waits. The rest of the line may have arrived already, so the time limit of the line does not run. It
    /// restarts afterwards.
    private var isReaderWaiting = false
    /// Since when the peer has read nothing of the output that waits.
    private var outputBegan: Instant?
    /// The number of unread bytes at the last check.
    private var unread: Int?

    init(partialLine: Duration, unreadOutput: Duration) {
        self.partialLine = partialLine
        self.unreadOutput = unreadOutput
    }

    private var isWaitingForLine: Bool { lineBegan != nil && !isReaderWaiting }

    /// Whether the connection waits for the peer.
    var isWaiting: Bool { isWaitingForLine || outputBegan != nil }

    /// Bytes have arrived.
    ///
    /// - Parameter isLineComplete: whether the bytes completed a line. If so, a line that is unfinished now began in them.
    mutating func received(isLineComplete: Bool, isWithinLine: Bool, at now: Instant) {
        if isLineComplete { lineBegan = nil }
        lineBegan = isWithinLine ? lineBegan ?? now : nil
    }

    mutating func readerWaits(_ isReaderWaiting: Bool, at now: Instant) {
        self.isReaderWaiting = isReaderWaiting
        if !isReaderWaiting, lineBegan != nil { lineBegan = now }
    }

    /// The transport begins to write a piece of output.
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

    /// Checks whether the peer has stalled.
    ///
    /// - Parameter unread: the number of bytes that the operating system keeps for the peer. A slow peer reads some of them
    ///   long before the system has taken a whole piece.
    mutating func check(unread: Int, at now: Instant) -> Stall? {
        if let began = outputBegan {
            // Before the first check, which may be late, the peer may have read some.
            let hasRead = self.unread.map { unread < $0 } ?? true
            if hasRead {
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
