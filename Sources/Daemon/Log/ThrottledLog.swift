internal import Logging
private import Synchronization

/// A message that somebody outside can cause again and again, and which must not fill the log: once in a while, with how many were
/// left out.
final class ThrottledLog: Sendable {
    private let message: Logger.Message
    private let level: Logger.Level
    private let logger: Logger
    private let throttle = Mutex(LogThrottle())

    init(_ message: Logger.Message, level: Logger.Level, logger: Logger) {
        self.message = message
        self.level = level
        self.logger = logger
    }

    func log(_ metadata: Logger.Metadata) {
        guard let missed = throttle.withLock({ $0.admit(at: .now) }) else { return }
        var metadata = metadata
        if missed > 0 { metadata["more of them since the last line"] = "\(missed)" }
        logger.log(level: level, message, metadata: metadata)
    }
}
