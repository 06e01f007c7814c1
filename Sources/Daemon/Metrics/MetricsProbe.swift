internal import Exports
private import Postgres

/// Looks after the figures for all who ask: one look at a time, and none where the last is fresh.
actor MetricsProbe {
    private static let freshness: Duration = .seconds(1)

    private let exports: ExportService
    private let report: @Sendable (ExportService.QueueFigures?, ExportService.DiskFigures) -> MetricsReport
    private var looking: Task<String, Never>?
    private var last: (text: String, at: ContinuousClock.Instant)?

    /// - Parameter report: adds what this process knows by itself.
    init(
        exports: ExportService,
        report: @escaping @Sendable (ExportService.QueueFigures?, ExportService.DiskFigures) -> MetricsReport
    ) {
        self.exports = exports
        self.report = report
    }

    func text() async -> String {
        if let looking { return await looking.value }
        if let last, last.at.duration(to: .now) < Self.freshness { return last.text }
        // On nobody's account: whoever comes first may have a long line of its own.
        let task = Task { [exports, report] in
            await PostgresPool.withParty(0) {
                let queue = try? await exports.queueFigures()
                return report(queue, await exports.diskFigures(queue?.facts)).text
            }
        }
        looking = task
        let text = await task.value
        looking = nil
        last = (text, .now)
        return text
    }
}
