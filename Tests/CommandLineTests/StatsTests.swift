import AdminExportAPI
import Testing

@testable import CommandLine

@Suite struct StatsTests {
    private static let text = """
        # TYPE x_build info
        # HELP x_build The \\"version\\".
        x_build_info{version="1.0"} 1
        # TYPE x_jobs gauge
        # UNIT x_jobs jobs
        # HELP x_jobs Exports that wait or run.
        x_jobs{state="queued"} 2
        x_jobs{state="running"} 3
        # TYPE x_rows counter
        # HELP x_rows Rows.
        x_rows_total 7
        # TYPE x_took_seconds histogram
        # HELP x_took_seconds How long.
        x_took_seconds_bucket{le="0.1"} 1
        x_took_seconds_bucket{le="1.0"} 9
        x_took_seconds_bucket{le="+Inf"} 10
        x_took_seconds_sum 12.5
        x_took_seconds_count 10
        # TYPE process_open_fds gauge
        # HELP process_open_fds Descriptors.
        process_open_fds 3
        # EOF

        """

    private static func histogram(_ buckets: [(Int?, Int)]) -> ServiceStats.Histogram {
        var histogram = ServiceStats.Histogram()
        histogram.buckets = buckets.map { .init(upToUs: $0.0, count: $0.1) }
        return histogram
    }

    @Test("The summary shows the queue, the workers, the exports, the disk and the callers")
    func summary() {
        var stats = ServiceStats.Result()
        stats.queue = .init()
        stats.queue?.queued = 1_200
        stats.queue?.oldestQueuedMs = 600_000
        stats.queue?.paused = true
        stats.queue?.running = 1
        stats.queue?.slots = 4
        stats.queue?.workers.ok = 2
        stats.queue?.workers.full = 1
        stats.work = .init()
        stats.work?.attempts.succeeded = 5
        stats.work?.attempts.retried = 2
        stats.work?.rescues.overdue = 1
        stats.work?.rescues.leaseOver = 2
        stats.work?.rows = 1_000
        stats.work?.workbookBytes = 1_500_000
        stats.work?.waits = Self.histogram([(5_000, 99), (nil, 1)])
        stats.archives.freeBytes = 1_000
        stats.archives.sizeBytes = 2_000
        stats.requests = [
            .init(method: "export.start", outcome: "ok", count: 7),
            .init(method: "export.start", outcome: "overloaded", count: 2),
        ]
        stats.connections.open = 3
        #expect(
            StatsCommand.text(stats).string == """
                Queue:     1,200 waiting, the oldest for 10 min; paused by an operator
                Workers:   3, 1 of 4 slots in use, 1 with the disk full
                Exports:   5 made, 0 failed, 0 cancelled
                Repeated:  2 retried, 0 handed back, 0 returned, 3 rescued
                Refused:   0 late writes of workers
                Rows:      1,000 in 1.5 MB of workbooks
                Waited:    half of them within 5 ms, 99 % within 5 ms
                Archives:  1.0 kB free of 2.0 kB
                Requests:  9, 2 of them ended with an error
                Callers:   3 connected, 0 refused
                """)
    }

    @Test("The summary shows numbers of any size and does not trap", arguments: [Int.max, Int.min, -1, 0])
    func extremes(_ value: Int) {
        var stats = ServiceStats.Result()
        stats.queue = .init()
        stats.queue?.queued = value
        stats.queue?.oldestQueuedMs = value
        stats.queue?.running = value
        stats.queue?.workers.ok = value
        stats.queue?.workers.failed = value
        stats.work = .init()
        stats.work?.rescues.overdue = value
        stats.work?.rescues.leaseOver = value
        stats.work?.workbookBytes = value
        stats.work?.waits = Self.histogram([(value, value), (value, value), (nil, value)])
        stats.archives.freeBytes = value
        stats.archives.sizeBytes = value
        stats.requests = [
            .init(method: "x", outcome: "ok", count: value), .init(method: "x", outcome: "y", count: value),
            .init(method: "y", outcome: "y", count: value),
        ]
        let text = StatsCommand.text(stats)
        #expect(text.string.split(separator: "\n").count >= 9, "\(text.string)")
    }

    @Test("A quantile is the upper bound of the bucket that contains it")
    func quantiles() {
        let histogram = Self.histogram([(100_000, 1), (1_000_000, 8), (nil, 1)])
        #expect(histogram.quantile(0.1) == 0.1)
        #expect(histogram.quantile(0.5) == 1)
        #expect(histogram.quantile(0.99) == .infinity)
        #expect(Self.histogram([]).quantile(0.5) == nil && Self.histogram([(1, 0), (nil, 0)]).quantile(0.5) == nil)
    }

    @Test("In the Prometheus text format, a counter has the name of its samples, and there are no UNIT and EOF lines")
    func prometheus() {
        #expect(
            PrometheusText.convert(openMetrics: Self.text) == """
                # TYPE x_build_info gauge
                # HELP x_build_info The "version".
                x_build_info{version="1.0"} 1
                # TYPE x_jobs gauge
                # HELP x_jobs Exports that wait or run.
                x_jobs{state="queued"} 2
                x_jobs{state="running"} 3
                # TYPE x_rows_total counter
                # HELP x_rows_total Rows.
                x_rows_total 7
                # TYPE x_took_seconds histogram
                # HELP x_took_seconds How long.
                x_took_seconds_bucket{le="0.1"} 1
                x_took_seconds_bucket{le="1.0"} 9
                x_took_seconds_bucket{le="+Inf"} 10
                x_took_seconds_sum 12.5
                x_took_seconds_count 10

                """)
    }

    @Test(
        "Durations are shown in the unit that fits",
        arguments: [(0.005, "5 ms"), (0.9996, "1000 ms"), (1, "1 s"), (119, "119 s"), (600, "10 min"), (86_400, "24 h")])
    func times(_ seconds: Double, _ text: String) {
        #expect(StatsCommand.time(seconds) == text)
    }

    @Test("Without a database, the summary shows only the process")
    func noDatabase() {
        var stats = ServiceStats.Result()
        stats.connections.open = 2
        let text = StatsCommand.text(stats).string
        #expect(text.contains("cannot be reached") && text.contains("2 connected") && !text.contains("Rows"))
        #expect(StatsCommand.bytes(999) == "999 bytes" && StatsCommand.bytes(1_500_000) == "1.5 MB")
    }
}
