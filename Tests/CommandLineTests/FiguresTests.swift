import Testing

@testable import CommandLine

@Suite struct FiguresTests {
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

    @Test("Samples are found by name and labels, and added up")
    func sums() {
        let figures = Figures(openMetrics: Self.text)
        #expect(figures.count("x_jobs") == 5 && figures.count("x_jobs", ["state": "running"]) == 3)
        #expect(figures.sum("x_jobs", ["state": "none"]) == nil && figures.sum("x_none") == nil)
        #expect(figures.sum("x_took_seconds_sum") == 12.5)
    }

    @Test(
        "Figures beyond any number are shown, and end nothing",
        arguments: ["1e300", "-1e300", "inf", "-inf", "nan", "NaN", "+Inf", "-Inf", "-1", "9.3e18", "9223372036854775808"])
    func extremes(_ value: String) {
        let names = [
            "adminexport_jobs", "adminexport_workers", "adminexport_worker_slots", "adminexport_queue_paused",
            "adminexport_attempts_total", "adminexport_rows_total", "adminexport_oldest_queued_seconds",
            "adminexport_archives_free_bytes", "adminexport_archives_size_bytes", "adminexport_workbook_bytes_total",
            "adminexport_connections", "adminexport_rescues_total", "adminexport_rejected_writes_total",
        ]
        var lines = ["adminexport_database_up 1", "adminexport_jobs{state=\"queued\"} \(value)"]
        lines += names.map { "\($0) \(value)" }
        lines += [
            "adminexport_requests_total{outcome=\"ok\"} -\(value)", "adminexport_requests_total{outcome=\"x\"} \(value)",
            "adminexport_queue_wait_seconds_bucket{le=\"\(value)\"} 5",
            "adminexport_queue_wait_seconds_bucket{le=\"+Inf\"} \(value)",
        ]
        let text = StatsCommand.text(Figures(openMetrics: lines.joined(separator: "\n")))
        #expect(text.string.split(separator: "\n").count >= 8, "\(text.string)")
    }

    @Test("A share of a histogram lies below a bound of its buckets")
    func quantiles() {
        let figures = Figures(openMetrics: Self.text)
        #expect(figures.quantile(0.1, of: "x_took_seconds") == 0.1)
        #expect(figures.quantile(0.5, of: "x_took_seconds") == 1)
        #expect(figures.quantile(0.99, of: "x_took_seconds") == .infinity)
        #expect(figures.quantile(0.5, of: "x_none") == nil)
    }

    @Test("In the older format a counter's family has its samples' name, and there is neither unit nor end")
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
        "Durations and sizes are told in the unit that fits",
        arguments: [(0.005, "5 ms"), (0.9996, "1000 ms"), (1, "1 s"), (119, "119 s"), (600, "10 min"), (86_400, "24 h")])
    func times(_ seconds: Double, _ text: String) {
        #expect(StatsCommand.time(seconds) == text)
    }

    @Test("Without a database the figures of the process are there alone")
    func noDatabase() {
        let text = StatsCommand.text(
            Figures(
                openMetrics:
                    "adminexport_database_up 0\nadminexport_connections 2\nadminexport_requests_total{outcome=\"ok\"} 4\n")
        ).string
        #expect(text.contains("cannot be reached") && text.contains("2 connected") && !text.contains("Rows"))
        #expect(StatsCommand.bytes(999) == "999 bytes" && StatsCommand.bytes(1_500_000) == "1.5 MB")
    }
}
