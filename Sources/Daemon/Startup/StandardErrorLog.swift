private import Foundation
internal import Logging

/// Log lines on standard error. Under the journal each begins with its priority (sd-daemon(3)) and has no time, which the
/// journal adds itself.
struct StandardErrorLog: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    private let isJournal = ProcessInfo.processInfo.environment["JOURNAL_STREAM"] != nil

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let pairs = all.sorted { $0.key < $1.key }.map { " \($0.key)=\(Self.oneLine("\($0.value)"))" }.joined()
        let text = Self.oneLine(event.message.description) + pairs
        let start =
            isJournal
            ? "<\(Self.priority(event.level))>" : "\(Date().formatted(.iso8601)) \(event.level.rawValue.uppercased()) "
        Self.write("\(start)\(text)\n")
    }

    /// What came from outside must not begin a line of its own.
    private static func oneLine(_ text: String) -> String {
        text.contains(where: \.isNewline) ? text.split(whereSeparator: \.isNewline).joined(separator: "; ") : text
    }

    /// A log that cannot be written must not stop the service: errors are ignored.
    static func write(_ line: String) {
        let bytes = Array(line.utf8)
        _ = Foundation.write(2, bytes, bytes.count)
    }

    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
