internal import Exports
private import Foundation
internal import Logging
private import Synchronization
internal import Systemd

/// Writes log entries to the journal, with their fields, if standard error leads to it; otherwise as lines to standard error. Under a
/// service manager without a journal each line begins with its priority (sd-daemon(3)).
struct ServiceLog: LogHandler {
    /// The level of all loggers of the process. A reload of the configuration may change it.
    final class Level: Sendable {
        private let state: Mutex<Logger.Level>

        init(_ value: Logger.Level) {
            state = Mutex(value)
        }

        var value: Logger.Level {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    private enum Destination {
        case journal(Journal)
        case prefixedLines
        case lines
    }

    private static let destination: Destination = {
        let environment = ProcessInfo.processInfo.environment
        if Journal.isStream(2, of: environment) { return .journal(Journal()) }
        let isManaged = environment["JOURNAL_STREAM"] != nil || environment["INVOCATION_ID"] != nil
        return isManaged ? .prefixedLines : .lines
    }()

    private let level: Level
    var metadata: Logger.Metadata = [:]

    init(level: Level) {
        self.level = level
    }

    var logLevel: Logger.Level {
        get { level.value }
        set { level.value = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event entry: LogEvent) {
        var all = metadata.merging(entry.metadata ?? [:]) { _, new in new }
        let event: (any ServiceEvent)? =
            if case .stringConvertible(let value) = all.removeValue(forKey: LogKey.event.rawValue) {
                value as? any ServiceEvent
            } else { nil }
        let fields = all.sorted { $0.key < $1.key }.map { (key: $0.key, value: "\($0.value)") }
        Self.write(
            entry.message.description, event, entry.level, fields, place: (entry.file, entry.line, entry.function))
    }

    /// Logs why the process ends or cannot start, also before there is a logger.
    static func fatal(_ message: String) {
        if case .lines = destination {
            writeLine("adminexportd: \(message)\n")
        } else {
            write(message, DaemonEvent.fatalError, DaemonEvent.fatalError.entry.level, [])
        }
    }

    private static func write(
        _ message: String, _ event: (any ServiceEvent)?, _ level: Logger.Level, _ fields: [(key: String, value: String)],
        place: (file: String, line: UInt, function: String)? = nil
    ) {
        let priority = priority(level)
        let text = oneLine(message) + fields.map { " \($0.key)=\(oneLine($0.value))" }.joined()
        let line = text + (event.map { " \(LogKey.event.rawValue)=\($0)" } ?? "") + "\n"
        switch destination {
        case .journal(let journal):
            var all = [
                ("MESSAGE", text), ("PRIORITY", "\(priority.rawValue)"), ("SYSLOG_IDENTIFIER", "adminexportd"),
            ]
            if let event { all.append(("MESSAGE_ID", event.entry.id)) }
            if let place {
                all += [("CODE_FILE", place.file), ("CODE_LINE", "\(place.line)"), ("CODE_FUNC", place.function)]
            }
            all += fields.map { (journalField($0.key), $0.value) }
            if !journal.send(all) { writeLine("<\(priority.rawValue)>\(line)") }
        case .prefixedLines: writeLine("<\(priority.rawValue)>\(line)")
        case .lines: writeLine("\(Date().formatted(.iso8601)) \(level.rawValue.uppercased()) \(line)")
        }
    }

    /// The journal's name of a field: `ADMINEXPORT_JOB` for `job`. Libraries may use any character in a key.
    static func journalField(_ key: String) -> String {
        let word = key == LogKey.uid.rawValue ? "peer_uid" : key
        return "ADMINEXPORT_"
            + word.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? String($0) : "_" }.joined()
    }

    /// Text from outside must not begin a line of its own.
    private static func oneLine(_ text: String) -> String {
        text.contains(where: \.isNewline) ? text.split(whereSeparator: \.isNewline).joined(separator: "; ") : text
    }

    /// Ignores errors: a log that cannot be written must not stop the service.
    private static func writeLine(_ line: String) {
        let bytes = Array(line.utf8)
        // SAFETY: the system reads the bytes during the call.
        _ = unsafe Foundation.write(2, bytes, bytes.count)
    }

    private static func priority(_ level: Logger.Level) -> Priority {
        switch level {
        case .trace, .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        case .critical: .critical
        }
    }
}

/// Logs an event that somebody outside can cause at any rate: at most one entry a second, with the number of those left out.
final class ThrottledLog: Sendable {
    private static let interval: Duration = .seconds(1)

    private let event: any ServiceEvent
    private let logger: Logger
    private let state = Mutex((last: ContinuousClock.Instant?.none, suppressed: 0))

    init(_ event: any ServiceEvent, _ logger: Logger) {
        self.event = event
        self.logger = logger
    }

    func report(_ fields: [LogKey: any Sendable], at now: ContinuousClock.Instant = .now) {
        let suppressed: Int? = state.withLock { state in
            if let last = state.last, last.duration(to: now) < Self.interval {
                state.suppressed += 1
                return nil
            }
            defer { state = (now, 0) }
            return state.suppressed
        }
        guard let suppressed else { return }
        var fields = fields
        if suppressed > 0 { fields[.suppressed] = suppressed }
        logger.report(event, fields)
    }
}
