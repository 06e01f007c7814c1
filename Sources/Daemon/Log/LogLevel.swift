internal import Logging
private import Synchronization

/// The level of all loggers of this process, which a reload may change.
final class LogLevel: Sendable {
    private let state: Mutex<Logger.Level>

    init(_ level: Logger.Level) {
        state = Mutex(level)
    }

    var level: Logger.Level {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
