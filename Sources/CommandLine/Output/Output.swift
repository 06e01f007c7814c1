internal import AdminExportAPI
internal import Foundation

/// Results on standard output, all other messages on standard error. This is the only place where this program writes to either.
///
/// It takes ``TerminalText``, so that everything from the service is escaped before it reaches a terminal.
enum Output {
    static var isTerminal: Bool { TerminalOutput.isTerminal(FileHandle.standardOutput.fileDescriptor) }

    /// - Throws: ``CommandFailure`` with the status 73 if standard output cannot be written.
    static func result(_ text: TerminalText) throws {
        try bytes(Data((text + "\n").string.utf8))
    }

    /// A file's path. A program gets it unchanged; on a terminal it is escaped.
    static func path(_ path: String) throws {
        if isTerminal { try result("\(path)") } else { try bytes(Data((path + "\n").utf8)) }
    }

    /// The paths of downloaded files, each on a line.
    static func paths(_ files: (workbook: String?, receipt: String?)) throws {
        for path in [files.workbook, files.receipt].compactMap(\.self) { try self.path(path) }
    }

    /// The content of a workbook.
    static func bytes(_ data: Data) throws {
        do {
            try FileHandle.standardOutput.write(contentsOf: data)
        } catch {
            throw CommandFailure(
                status: .cannotCreate, message: "standard output cannot be written: it is closed, or the disk is full")
        }
    }

    static func message(_ text: TerminalText) {
        diagnostic("adminexport: \(text)\n")
    }

    /// Ignores an error of standard error: there is no other place to report it.
    static func diagnostic(_ text: TerminalText) {
        try? FileHandle.standardError.write(contentsOf: Data(text.string.utf8))
    }

    /// A value as JSON on one line.
    static func line(_ value: some Encodable) throws -> TerminalText {
        try json(value, [])
    }

    /// A value as JSON for programs.
    static func json(_ value: some Encodable) throws {
        try result(json(value, .prettyPrinted))
    }

    private static func json(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) throws -> TerminalText {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, formatting]
        return TerminalText(json: String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// One job, as JSON or as lines of name and value.
    static func job(_ job: Job, json: Bool) throws {
        if json { return try self.json(job) }
        var lines: [(TerminalText, String)] = [
            ("Export", job.id), ("State", state(job)), ("Tenant", job.tenant), ("Requested by", job.requestedBy),
            ("Created", job.createdAt),
        ]
        let extras =
            (job.includeDisabled ? ["disabled accounts"] : []) + (job.includeReferences ? ["references"] : [])
            + (job.includeAbout == true ? ["the sheet about the export"] : [])
        if !extras.isEmpty { lines.append(("With", extras.joined(separator: ", "))) }
        if let position = job.queuePosition { lines.append(("In the queue", "number \(position)")) }
        if let total = job.progress.rowsTotal, !job.state.isFinal {
            lines.append(("Rows", "\(ProgressBar.grouped(job.progress.rowsDone)) of \(ProgressBar.grouped(total))"))
        }
        if let rows = job.rows { lines.append(("Rows", ProgressBar.grouped(rows))) }
        if let sheets = job.sheets { lines.append(("Sheets", "\(sheets)")) }
        if let name = job.fileName { lines.append(("File", name)) }
        if let size = job.size { lines.append(("Size", "\(ProgressBar.grouped(size)) bytes")) }
        if let sha256 = job.sha256 { lines.append(("SHA-256", sha256)) }
        if job.hasReceipt == true { lines.append(("Receipt", "yes")) }
        if let started = job.startedAt { lines.append(("Started", started)) }
        if let attempt = job.attemptStartedAt, attempt != job.startedAt { lines.append(("Last attempt", attempt)) }
        if let finished = job.finishedAt { lines.append(("Finished", finished)) }
        if let expires = job.expiresAt { lines.append((job.state == .expired ? "Expired" : "Kept until", expires)) }
        for warning in job.warnings { lines.append(("Warning", describe(warning))) }
        if let error = job.error { lines.append(("Error", "\(error.message) (\(error.kind))")) }
        try result(lines.map { ($0.0 + ":").padded(to: 15) + "\($0.1)" }.joined(separator: "\n"))
    }

    static func state(_ job: Job) -> String {
        job.cancelRequested && !job.state.isFinal ? "\(job.state.rawValue), being cancelled" : job.state.rawValue
    }

    static func describe(_ warning: Job.Warning) -> String {
        let count = ProgressBar.grouped(warning.count)
        let isOne = warning.count == 1
        return switch warning.kind {
        case "text-truncated":
            "\(count) \(isOne ? "text was" : "texts were") cut: a cell holds at most 32,767 UTF-16 units"
        case "text-replaced":
            "\(count) \(isOne ? "text" : "texts") had invalid characters, which became U+FFFD"
        case "date-as-text":
            "\(count) \(isOne ? "date is" : "dates are") outside Excel's calendar (1900-03-01 to 9999-12-31) and written as text"
        case "unresolved-reference":
            "\(count) \(isOne ? "reference points" : "references point") to a profile, group or team that the tenant does not have"
        case "group-hidden":
            "\(count) \(isOne ? "reference to a group is left out: the group is" : "references to groups are left out: the groups are") outside the administrator's scope"
        default:
            "\(warning.kind): \(count)"
        }
    }
}
