private import Foundation
internal import Logging
internal import Systemd

/// Log entries: with their fields where standard error is the journal's, otherwise as lines on standard error. Under a service
/// manager without a journal each line begins with its priority (sd-daemon(3)).
struct ServiceLog: LogHandler {
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

    private let shared: LogLevel
    var metadata: Logger.Metadata = [:]

    init(level: LogLevel) {
        shared = level
    }

    var logLevel: Logger.Level {
        get { shared.level }
        set { shared.level = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
            .map { (key: $0.key, value: "\($0.value)") }
        Self.write(event.message.description, all, event.level, place: (event.file, event.line, event.function))
    }

    /// What ends the process, or is said before there is a logger.
    static func fault(_ message: String) {
        if case .lines = destination {
            writeLine("adminexportd: \(message)\n")
        } else {
            write(message, [], .error, id: MessageCatalog.fault)
        }
    }

    private static func write(
        _ message: String, _ metadata: [(key: String, value: String)], _ level: Logger.Level,
        place: (file: String, line: UInt, function: String)? = nil, id: String? = nil
    ) {
        let pairs = metadata.map { " \($0.key)=\(oneLine($0.value))" }.joined()
        let text = oneLine(message) + pairs
        let priority = priority(level)
        switch destination {
        case .journal(let journal):
            var fields = [
                ("MESSAGE", text), ("PRIORITY", "\(priority.rawValue)"), ("SYSLOG_IDENTIFIER", "adminexportd"),
            ]
            if let id = id ?? MessageCatalog.id(of: message) { fields.append(("MESSAGE_ID", id)) }
            if let place {
                fields += [
                    ("CODE_FILE", place.file), ("CODE_LINE", "\(place.line)"), ("CODE_FUNC", place.function),
                ]
            }
            fields += metadata.map { (field($0.key), $0.value) }
            if !journal.send(fields) { writeLine("<\(priority.rawValue)>\(text)\n") }
        case .prefixedLines: writeLine("<\(priority.rawValue)>\(text)\n")
        case .lines: writeLine("\(Date().formatted(.iso8601)) \(level.rawValue.uppercased()) \(text)\n")
        }
    }

    /// `job` is the field `ADMINEXPORT_JOB`; who called is `ADMINEXPORT_PEER_UID`.
    static func field(_ key: String) -> String {
        let word = key == "uid" ? "peer_uid" : key
        return "ADMINEXPORT_"
            + word.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? String($0) : "_" }.joined()
    }

    /// What came from outside must not begin a line of its own.
    private static func oneLine(_ text: String) -> String {
        text.contains(where: \.isNewline) ? text.split(whereSeparator: \.isNewline).joined(separator: "; ") : text
    }

    /// A log that cannot be written must not stop the service: errors are ignored.
    private static func writeLine(_ line: String) {
        let bytes = Array(line.utf8)
        _ = Foundation.write(2, bytes, bytes.count)
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
