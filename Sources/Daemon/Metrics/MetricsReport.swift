internal import AdminExportAPI
internal import Exports
internal import Postgres

/// All figures of the service, as OpenMetrics text. No tenant, no administrator and no path stands in it.
struct MetricsReport {
    let server: ServerMetrics.Figures
    let process = ProcessFigures()
    let transfers: Int
    let trail: AuditWriter.Figures
    let pools: PostgresPool.Figures
    /// nil where the database does not answer.
    let queue: ExportService.QueueFigures?
    let disk: ExportService.DiskFigures

    var text: String {
        var text = OpenMetricsText()
        text.family("adminexport_build", .info, "The version of the program that answers.")
        text.sample(
            "adminexport_build_info", ["version": AdminExportDaemon.version, "schema": "\(Migrator.version)"], 1)
        text.gauge("adminexport_database_up", "Whether the database answers.", queue == nil ? 0 : 1)
        if let queue {
            self.queue(queue.depth, &text)
            work(queue.counters, &text)
        }
        disk(&text)
        requests(&text)
        connections(&text)
        process(&text)
        return text.text
    }

    private func queue(_ depth: QueueControl.Depth, _ text: inout OpenMetricsText) {
        text.family("adminexport_jobs", .gauge, "Exports that wait or run.")
        text.sample("adminexport_jobs", ["state": "queued"], depth.queued)
        text.sample("adminexport_jobs", ["state": "running"], depth.running)
        text.family(
            "adminexport_oldest_queued_seconds", .gauge, unit: "seconds",
            "How long the export has waited that has waited longest; 0 where none waits.")
        text.sample("adminexport_oldest_queued_seconds", [:], Double(depth.oldestQueuedMilliseconds ?? 0) / 1_000)
        text.gauge("adminexport_queue_paused", "Whether an operator has stopped the queue.", depth.isPaused ? 1 : 0)
        text.family("adminexport_workers", .gauge, "Workers heard of in the last half minute, by the state of their disk.")
        for word in ["ok", "full", "failed", "wrong-store"] {
            text.sample("adminexport_workers", ["storage": word], depth.workersByStorage[word] ?? 0)
        }
        text.gauge("adminexport_worker_slots", "Exports that those workers make at a time.", depth.slots)
    }

    private func work(_ counters: [String: Int], _ text: inout OpenMetricsText) {
        func value(_ name: WorkerCounters.Name) -> Int { counters[name.rawValue] ?? 0 }
        text.family("adminexport_attempts", .counter, "Attempts of exports that have ended, of all workers.")
        for name: WorkerCounters.Name in [.succeeded, .failed, .cancelled, .retried, .handedBack, .returned] {
            text.sample("adminexport_attempts_total", ["result": name.rawValue], value(name))
        }
        text.family("adminexport_rescues", .counter, "Exports that were taken from workers that had died or hung.")
        for (name, reason) in [
            (WorkerCounters.Name.rescuedLeaseOver, "lease-over"), (.rescuedOverdue, "overdue"),
            (.rescuedLeaseMissing, "lease-missing"),
        ] {
            text.sample("adminexport_rescues_total", ["reason": reason], value(name))
        }
        text.counter(
            "adminexport_rejected_writes", "Writes of workers that were refused because the export was not theirs any more.",
            value(.rejected))
        text.counter("adminexport_rows", "Administrators in finished workbooks.", value(.rows))
        text.counter("adminexport_workbook_bytes", unit: "bytes", "Bytes of finished workbooks.", value(.bytes))
        histogram(
            .wait, "adminexport_queue_wait_seconds", "From when an export could be begun until it was.", counters, &text)
        histogram(
            .run, "adminexport_export_duration_seconds", "From the beginning of an attempt that succeeded to its end.",
            counters, &text)
        text.family("adminexport_worker_database_connections", .counter, "Connections of workers to the database.")
        for (name, event) in [
            (WorkerCounters.Name.connectionsOpened, "opened"), (.connectionsLost, "lost"), (.connectionsFailed, "failed"),
        ] {
            text.sample("adminexport_worker_database_connections_total", ["event": event], value(name))
        }
    }

    private func histogram(
        _ kind: WorkerCounters.Histogram, _ name: String, _ help: String, _ counters: [String: Int],
        _ text: inout OpenMetricsText
    ) {
        let bounds = WorkerCounters.Histogram.bounds
        text.histogram(
            name, help, bounds: bounds.map { Double($0) / 1_000 },
            counts: (bounds.map { Optional($0) } + [nil]).map { counters[kind.bucket($0)] ?? 0 },
            sum: Double(counters[kind.sum] ?? 0) / 1_000)
    }

    private func disk(_ text: inout OpenMetricsText) {
        if let space = disk.space {
            text.gauge(
                "adminexport_archives_free_bytes", unit: "bytes", "Bytes that may still be written on the archives' disk.",
                space.free)
            text.gauge(
                "adminexport_archives_size_bytes", unit: "bytes", "Bytes of the archives' file system.", space.size)
        }
        text.gauge(
            "adminexport_stuck_file_operations", "Operations on archives that have not come back for ten seconds.",
            disk.stuck)
        if let isOurs = disk.isOurs {
            text.gauge(
                "adminexport_archives_ok",
                "Whether the archives' disk answers, and is the one of this database.", isOurs ? 1 : 0)
        }
    }

    private func requests(_ text: inout OpenMetricsText) {
        text.family("adminexport_requests", .counter, "Requests that this process has answered.")
        for (request, count) in server.requests.sorted(by: {
            ($0.key.method, $0.key.outcome) < ($1.key.method, $1.key.outcome)
        }) {
            text.sample(
                "adminexport_requests_total", ["method": request.method, "outcome": request.outcome], count)
        }
        text.histogram(
            "adminexport_request_duration_seconds", "How long requests took, but for those whose caller chooses that.",
            bounds: ServerMetrics.bounds, counts: server.durations, sum: server.seconds)
        text.counter("adminexport_downloads", "Workbooks that were given out as open files.", server.openedWorkbooks)
        text.counter(
            "adminexport_sent_bytes", unit: "bytes", "Bytes of workbooks given out through pipes and in parts.",
            server.sentBytes)
        text.gauge("adminexport_transfers", "Workbooks on their way through pipes.", transfers)
        text.gauge(
            "adminexport_audit_events_waiting", "Denials and failed deliveries that are not in the audit trail yet.",
            trail.waiting)
        text.counter(
            "adminexport_audit_events_lost", "Failed deliveries that are not in the audit trail and will not be.", trail.lost
        )
    }

    private func connections(_ text: inout OpenMetricsText) {
        text.gauge("adminexport_connections", "Callers that are connected.", server.connections)
        text.counter("adminexport_accepted_connections", "Callers that were let in.", server.acceptedConnections)
        text.counter("adminexport_refused_connections", "Callers over a limit.", server.refusedConnections)
        text.counter(
            "adminexport_stalled_connections", "Callers dropped because they did not read or did not finish a line.",
            server.stalledConnections)
        text.family("adminexport_database_connections", .counter, "Connections of this process to the database.")
        for (event, count) in [("opened", pools.opened), ("lost", pools.lost), ("failed", pools.failed)] {
            text.sample("adminexport_database_connections_total", ["event": event], count)
        }
    }

    /// Under the names that Prometheus' own libraries use.
    private func process(_ text: inout OpenMetricsText) {
        text.family("process_cpu_seconds", .counter, unit: "seconds", "Processor time of this process.")
        text.sample("process_cpu_seconds_total", [:], process.processorSeconds)
        text.gauge("process_resident_memory_bytes", unit: "bytes", "Memory of this process.", process.residentBytes)
        text.gauge("process_open_fds", "Descriptors that are open.", process.openDescriptors)
        text.gauge("process_max_fds", "Descriptors that may be open.", process.mostDescriptors)
        text.family("process_start_time_seconds", .gauge, unit: "seconds", "When this process started, since 1970.")
        text.sample("process_start_time_seconds", [:], process.startSeconds)
    }
}
