internal import AdminExportAPI
internal import AdminExportClient
private import Foundation
private import XLSX

/// Writes all events of the audit trail that match a request to a file: as a workbook, or as JSON, an event on each line.
struct TrailExport {
    /// The form of the file.
    enum Form {
        /// The workbook has a sheet with the events, and one that says what they are.
        case workbook
        /// Newline-delimited JSON.
        case lines

        /// The form by the ending of the file's name; nil for any other name.
        init?(path: String) {
            switch path.split(separator: ".").last.map({ $0.lowercased() }) {
            case "xlsx" where path.contains("."): self = .workbook
            case "ndjson" where path.contains("."), "jsonl" where path.contains("."): self = .lines
            default: return nil
            }
        }
    }

    let client: ReconnectingClient
    /// The events. Its limit and its cursor are not used.
    let request: AuditList.Params

    /// Writes the file completely or not at all. Only its owner may read it.
    ///
    /// - Returns: the number of events.
    func write(to path: String, as form: Form, replacing: Bool) async throws -> Int {
        let sink = FileSink(try DownloadedFile(path: path, replacing: replacing))
        let count: Int
        switch form {
        case .workbook: count = try await writeWorkbook(to: sink)
        case .lines:
            count = try await forEachEvent { event in try sink.append(Data((Output.line(event).string + "\n").utf8)) }
        }
        try sink.keep()
        return count
    }

    /// The events, newest first, a page at a time.
    private func forEachEvent(_ body: (AuditEvent) throws -> Void) async throws -> Int {
        var count = 0
        var cursor: String?
        repeat {
            let page = try await client.call(
                AuditList.self,
                .init(
                    tenant: request.tenant, administrator: request.administrator, job: request.job, events: request.events,
                    from: request.from, before: request.before, limit: 500, cursor: cursor))
            for event in page.events { try body(event) }
            count += page.events.count
            cursor = page.nextCursor
        } while cursor != nil
        return count
    }

    private static let columns = [
        Column("Time (UTC)", .dateTime), Column("Event"), Column("Tenant"), Column("Administrator"), Column("Export"),
        Column("User id"), Column("Group id"), Column("Process id"), Column("Reason"), Column("Details"),
        Column("Exact time (UTC)"),
    ]

    private func writeWorkbook(to sink: FileSink) async throws -> Int {
        let now = Int(exactly: Date().timeIntervalSince1970.rounded(.down)) ?? 0
        let version = AdminExport.version
        let info = try await client.call(ServiceInfo.self, NoMembers())
        var options = WorkbookOptions()
        options.extendedFormats = true
        let workbook = try WorkbookWriter(
            properties: WorkbookProperties(
                title: "Audit trail of adminexport", creator: "adminexport \(version)", application: "adminexport",
                applicationVersion: version.split(separator: ".").prefix(2).joined(separator: "."), created: now),
            options: options, to: sink)
        try workbook.beginSheet("Audit trail", columns: Self.columns)
        let count = try await forEachEvent { event in
            if let moment = RFC3339.microseconds(event.at) {
                try workbook.dateTime(secondsSince1970: moment / 1_000_000)
            } else {
                try workbook.empty()
            }
            for text in [
                event.event, event.tenant, event.administrator, event.job, event.peer.map { "\($0.uid)" },
                event.peer.map { "\($0.gid)" }, event.peer.map { "\($0.pid)" }, event.reason,
                event.details == .object([:]) ? nil : try Output.line(event.details).string, event.at,
            ] {
                if let text { try workbook.text(text) } else { try workbook.empty() }
            }
            try workbook.endRow()
        }
        try workbook.beginSheet("About this file", columns: [Column("About this file"), Column("")], layout: .page)
        for (label, text) in about(count, at: RFC3339.text(microseconds: Int64(now) * 1_000_000), info.version) {
            try workbook.labelledRow(label, text)
        }
        _ = try workbook.finish()
        return count
    }

    private func about(_ count: Int, at time: String, _ version: String) -> [(label: String, text: String)] {
        [
            (
                "Content",
                "Events of the audit trail of adminexport, newest first: who requested which export, its result, who fetched it or was denied"
            ),
            ("Tenant", request.tenant ?? "All tenants that the operator may see"),
            ("From", request.from ?? "The beginning of the trail"), ("Before", request.before ?? "The time of this file"),
            ("Administrator", request.administrator ?? "All"), ("Export", request.job ?? "All"),
            ("Events", request.events.map { $0.joined(separator: ", ") } ?? "All kinds"),
            ("Number of events", ProgressBar.grouped(count)), ("Made at", "\(time), by the service adminexport \(version)"),
            (
                "How to verify",
                "adminexport audit --verify shows whether somebody has changed events in the database since the workers signed them. This file itself is not signed."
            ),
        ]
    }
}

/// A file that receives the bytes of a workbook.
private final class FileSink: ByteSink {
    private var file: DownloadedFile

    init(_ file: consuming DownloadedFile) {
        self.file = file
    }

    func write(_ bytes: RawSpan) throws {
        // SAFETY: the bytes are copied during the call.
        try append(unsafe bytes.withUnsafeBytes { unsafe Data($0) })
    }

    func append(_ data: Data) throws { try file.append(data) }

    func keep() throws { try file.keep() }
}
