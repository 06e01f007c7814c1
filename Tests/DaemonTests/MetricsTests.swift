import AdminExportAPI
import AdminExportClient
import Testing
import TestSupport

@testable import Daemon

@Suite(.timeLimit(.minutes(10))) struct MetricsTests {
    /// Checks a text against the parts of the OpenMetrics specification that this service uses.
    private func check(_ text: String) {
        #expect(text.hasSuffix("\n# EOF\n"))
        var kinds: [Substring: Substring] = [:]
        var family: Substring = ""
        var seen: Set<Substring> = []
        for line in text.split(separator: "\n").dropLast() {
            let words = line.split(separator: " ", maxSplits: 3)
            if words[0] == "#" {
                if words[1] == "TYPE" {
                    family = words[2]
                    #expect(kinds[family] == nil, "\(family) occurs twice")
                    kinds[family] = words[3]
                }
                #expect(words[2] == family)
                if words[1] == "UNIT" { #expect(family.hasSuffix("_" + words[3])) }
                continue
            }
            #expect(seen.insert(line.split(separator: " ")[0]).inserted, "\(line) occurs twice")
            let name = line.prefix { $0 != "{" && $0 != " " }
            let suffixes: [Substring] =
                switch kinds[family] {
                case "counter": ["_total"]
                case "histogram": ["_bucket", "_sum", "_count"]
                case "info": ["_info"]
                default: [""]
                }
            #expect(suffixes.contains { name == family + $0 }, "\(line) is not a sample of \(family)")
            #expect(Double(line.split(separator: " ").last ?? "") != nil)
        }
    }

    private func value(_ sample: String, _ text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix(sample + " ") }.flatMap { Double($0.dropFirst(sample.count + 1)) }
    }

    @Test("The metrics count what the service has done, and contain no names")
    func figures() async throws {
        try await ServiceProcess.with { service in
            let client = try service.client()
            let job = try await service.export()
            #expect(job.state == .succeeded)
            _ = try await client.open(ServiceProcess.owner, job: job.id)
            _ = await failure {
                _ = try await client.call(
                    ExportStart.self, .init(actor: ActorName(tenant: "acme", administrator: "nobody@acme.example")))
            }
            var text = ""
            try await eventually("the worker has reported its counters") {
                let result = try await client.call(ServiceMetrics.self, NoMembers())
                #expect(result.contentType == "application/openmetrics-text; version=1.0.0; charset=utf-8")
                text = result.body
                return value(#"adminexport_attempts_total{result="succeeded"}"#, text) == 1
            }
            check(text)
            #expect(value("adminexport_rows_total", text) == Double(job.rows ?? 0))
            #expect(value("adminexport_workbook_bytes_total", text) == Double(job.size ?? 0))
            #expect(value("adminexport_export_duration_seconds_count", text) == 1)
            #expect(value("adminexport_queue_wait_seconds_count", text) == 1)
            #expect(value(#"adminexport_workers{storage="ok"}"#, text) == 1)
            #expect(value(#"adminexport_requests_total{method="export.start",outcome="permission-denied"}"#, text) == 1)
            #expect(value("adminexport_downloads_total", text) == 1)
            #expect((value("adminexport_archives_free_bytes", text) ?? 0) > 0 && value("adminexport_archives_ok", text) == 1)
            #expect((value("process_resident_memory_bytes", text) ?? 0) > 1_000_000)
            #expect(!text.contains("acme") && !text.contains(service.folder))
            // service.stats returns the same numbers. Both methods use one value, which is at most a second old.
            let stats = try await client.call(ServiceStats.self, NoMembers())
            #expect(stats.work?.attempts.succeeded == 1 && stats.work?.rows == job.rows && stats.queue?.workers.ok == 1)
            #expect(stats.work?.workbookBytes == job.size && stats.work?.runs.buckets.map(\.count).reduce(0, +) == 1)
            #expect(
                stats.requests.contains { $0.method == "export.start" && $0.outcome == "permission-denied" && $0.count == 1 }
            )
            #expect(stats.downloads.opened == 1 && stats.archives.ok == true && (stats.archives.freeBytes ?? 0) > 0)
            let shown = try await service.run(["stats"])
            #expect(shown.status == 0 && shown.output.contains("1 made"), "\(shown)")
            let health = try await client.call(ServiceHealth.self, NoMembers())
            #expect(health.schemaVersion == 7 && (health.freeBytes ?? 0) > 0)
        }
    }

    @Test("Labels and help texts are escaped")
    func escaping() {
        var text = OpenMetricsText()
        text.family("x", .gauge, "a \"b\"\nc\\")
        text.sample("x", ["l": "\"\\\n"], 1)
        #expect(text.text == "# TYPE x gauge\n# HELP x a \\\"b\\\"\\nc\\\\\nx{l=\"\\\"\\\\\\n\"} 1\n# EOF\n")
    }
}
