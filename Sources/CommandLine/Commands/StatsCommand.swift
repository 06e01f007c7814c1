internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// Shows the service's figures to a person.
struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Show what the service has done, and what it does.",
        discussion: """
            Exports, rows and times are of all workers since the service was installed; requests and callers are of the process \
            that answers, since it started. Times are bounds of the buckets that are counted.
            """)

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            let metrics = try await service.connect().call(ServiceMetrics.self, NoMembers())
            if service.json { return try Output.json(metrics) }
            try Output.result(Self.text(Figures(openMetrics: metrics.body)))
        }
    }

    static func text(_ figures: Figures) -> TerminalText {
        let lines =
            (figures.count("adminexport_database_up") == 1
                ? queue(figures) + work(figures) : [("Database", "cannot be reached")]) + process(figures)
        return lines.map { TerminalText(escaping: $0.0 + ":").padded(to: 11) + TerminalText(escaping: $0.1) }
            .joined(separator: "\n")
    }

    private static func queue(_ figures: Figures) -> [(String, String)] {
        let queued = figures.count("adminexport_jobs", ["state": "queued"])
        let oldest = figures.sum("adminexport_oldest_queued_seconds") ?? 0
        let ill = ["full", "failed", "wrong-store"].map { ($0, figures.count("adminexport_workers", ["storage": $0])) }
            .filter { $0.1 > 0 }.map { "\($0.1) with the disk \($0.0)" }
        return [
            (
                "Queue",
                "\(number(queued)) waiting" + (queued > 0 ? ", the oldest for \(time(oldest))" : "")
                    + (figures.count("adminexport_queue_paused") == 1 ? "; stopped by an operator" : "")
            ),
            (
                "Workers",
                ([
                    "\(number(figures.count("adminexport_workers")))",
                    "\(number(figures.count("adminexport_jobs", ["state": "running"]))) of \(number(figures.count("adminexport_worker_slots"))) slots in use",
                ] + ill).joined(separator: ", ")
            ),
        ]
    }

    private static func work(_ figures: Figures) -> [(String, String)] {
        func attempts(_ result: String) -> String {
            number(figures.count("adminexport_attempts_total", ["result": result]))
        }
        var lines = [
            ("Exports", "\(attempts("succeeded")) made, \(attempts("failed")) failed, \(attempts("cancelled")) cancelled"),
            (
                "Again",
                "\(attempts("retried")) tried again, \(attempts("handed-back")) handed back, \(attempts("returned")) given back, \(number(figures.count("adminexport_rescues_total"))) rescued"
            ),
            ("Refused", "\(number(figures.count("adminexport_rejected_writes_total"))) late writes of workers"),
            (
                "Rows",
                "\(number(figures.count("adminexport_rows_total"))) in \(bytes(figures.sum("adminexport_workbook_bytes_total") ?? 0)) of workbooks"
            ),
        ]
        for (title, histogram) in [
            ("Waited", "adminexport_queue_wait_seconds"), ("Took", "adminexport_export_duration_seconds"),
        ] {
            guard let half = figures.quantile(0.5, of: histogram), let most = figures.quantile(0.99, of: histogram) else {
                continue
            }
            lines.append((title, "half of them \(atMost(half)), 99 % \(atMost(most))"))
        }
        return lines
    }

    private static func process(_ figures: Figures) -> [(String, String)] {
        var lines: [(String, String)] = []
        if let free = figures.sum("adminexport_archives_free_bytes"),
            let size = figures.sum("adminexport_archives_size_bytes")
        {
            lines.append(("Archives", "\(bytes(free)) free of \(bytes(size))"))
        }
        let all = figures.count("adminexport_requests_total")
        let fine = figures.count("adminexport_requests_total", ["outcome": "ok"])
        lines.append(("Requests", "\(number(all)), \(number(all - fine)) of them ended with an error"))
        lines.append(
            (
                "Callers",
                "\(number(figures.count("adminexport_connections"))) connected, \(number(figures.count("adminexport_refused_connections_total"))) refused"
            ))
        return lines
    }

    private static func number(_ value: Int) -> String { ProgressBar.grouped(value) }

    private static func atMost(_ seconds: Double) -> String {
        seconds.isInfinite ? "longer than is counted" : "within \(time(seconds))"
    }

    static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<1: "\(Int(saturating: (seconds * 1_000).rounded())) ms"
        case ..<120: "\(Int(saturating: seconds.rounded())) s"
        case ..<7_200: "\(Int(saturating: (seconds / 60).rounded())) min"
        default: "\(Int(saturating: (seconds / 3_600).rounded())) h"
        }
    }

    static func bytes(_ value: Double) -> String {
        let units = ["bytes", "kB", "MB", "GB", "TB", "PB"]
        var value = value
        var unit = 0
        while value >= 1_000, unit < units.count - 1 {
            value /= 1_000
            unit += 1
        }
        return unit == 0 ? "\(Int(saturating: value)) bytes" : String(format: "%.1f", value) + " " + units[unit]
    }
}
