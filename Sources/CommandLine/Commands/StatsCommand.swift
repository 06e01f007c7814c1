internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// Prints a summary of the service's metrics for people.
struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Show what the service has done and is doing.",
        discussion: """
            Exports, rows and times are those of all workers since the installation. Requests and callers are those of the process \
            that answers, since it started. The times are upper bounds: the service counts durations in intervals.
            """)

    /// JSON-RPC's code for a method that the service does not have.
    private static let methodNotFound = -32601

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            let stats: ServiceStats.Result
            do {
                stats = try await service.connect().call(ServiceStats.self, NoMembers())
            } catch let error as ClientError {
                guard case .service(Self.methodNotFound, _) = error.code else { throw error }
                throw CommandFailure(
                    status: .unavailable,
                    message: """
                        the service is older than this program and has no method service.stats. To start the installed version, \
                        run: systemctl restart adminexport.service; until then use: adminexport metrics
                        """)
            }
            if service.json { return try Output.json(stats) }
            try Output.result(Self.text(stats))
        }
    }

    static func text(_ stats: ServiceStats.Result) -> TerminalText {
        var lines: [(String, String)] = []
        if let queue = stats.queue, let work = stats.work {
            lines = Self.queue(queue) + Self.work(work)
        } else {
            lines = [("Database", "cannot be reached")]
        }
        return (lines + process(stats)).map {
            TerminalText(escaping: $0.0 + ":").padded(to: 11) + TerminalText(escaping: $0.1)
        }.joined(separator: "\n")
    }

    private static func queue(_ queue: ServiceStats.Queue) -> [(String, String)] {
        let workers = queue.workers
        let faulty = [("full", workers.full), ("failed", workers.failed), ("wrong-store", workers.wrongStore)]
            .filter { $0.1 > 0 }.map { "\($0.1) with the disk \($0.0)" }
        return [
            (
                "Queue",
                "\(number(queue.queued)) waiting"
                    + (queue.queued > 0 ? ", the oldest for \(time(Double(queue.oldestQueuedMs ?? 0) / 1_000))" : "")
                    + (queue.paused ? "; paused by an operator" : "")
            ),
            (
                "Workers",
                ([
                    number(sum([workers.ok, workers.full, workers.failed, workers.wrongStore])),
                    "\(number(queue.running)) of \(number(queue.slots)) slots in use",
                ] + faulty).joined(separator: ", ")
            ),
        ]
    }

    private static func work(_ work: ServiceStats.Work) -> [(String, String)] {
        let (attempts, rescues) = (work.attempts, work.rescues)
        let rescued = sum([rescues.leaseOver, rescues.sessionOver, rescues.overdue, rescues.leaseMissing])
        var lines = [
            (
                "Exports",
                "\(number(attempts.succeeded)) made, \(number(attempts.failed)) failed, \(number(attempts.cancelled)) cancelled"
            ),
            (
                "Repeated",
                "\(number(attempts.retried)) retried, \(number(attempts.handedBack)) handed back, \(number(attempts.returned)) returned, \(number(rescued)) rescued"
            ),
            ("Refused", "\(number(work.rejectedWrites)) late writes of workers"),
            ("Rows", "\(number(work.rows)) in \(bytes(Double(work.workbookBytes))) of workbooks"),
        ]
        for (title, histogram) in [("Waited", work.waits), ("Took", work.runs)] {
            guard let half = histogram.quantile(0.5), let most = histogram.quantile(0.99) else { continue }
            lines.append((title, "half of them \(within(half)), 99 % \(within(most))"))
        }
        return lines
    }

    private static func process(_ stats: ServiceStats.Result) -> [(String, String)] {
        var lines: [(String, String)] = []
        if let free = stats.archives.freeBytes, let size = stats.archives.sizeBytes {
            lines.append(("Archives", "\(bytes(Double(free))) free of \(bytes(Double(size)))"))
        }
        let failed = stats.requests.filter { $0.outcome != "ok" }.map(\.count)
        lines.append(
            ("Requests", "\(number(sum(stats.requests.map(\.count)))), \(number(sum(failed))) of them ended with an error"))
        lines.append(
            (
                "Callers",
                "\(number(stats.connections.open)) connected, \(number(stats.connections.refused)) refused"
            ))
        return lines
    }

    /// A sum that does not overflow, whatever the service sends.
    private static func sum(_ counts: [Int]) -> Int {
        Int(saturating: counts.reduce(0.0) { $0 + Double($1) })
    }

    private static func number(_ value: Int) -> String { ProgressBar.grouped(value) }

    private static func within(_ seconds: Double) -> String {
        seconds.isInfinite ? "longer than the longest interval" : "within \(time(seconds))"
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

extension ServiceStats.Histogram {
    /// The bound, in seconds, of the bucket up to which a share of the durations lies; infinite for the last bucket.
    ///
    /// - Returns: nil if no duration was counted.
    func quantile(_ share: Double) -> Double? {
        let all = buckets.reduce(0.0) { $0 + Double($1.count) }
        guard all > 0 else { return nil }
        var below = 0.0
        for bucket in buckets {
            below += Double(bucket.count)
            if below >= share * all { return bucket.upToUs.map { Double($0) / 1e6 } ?? .infinity }
        }
        return nil
    }
}
