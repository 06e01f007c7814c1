internal import AdminExportAPI
internal import Exports
internal import Postgres

extension ServiceStats.Result {
    init(
        server: ServerMetrics.Figures, transfers: Int, trail: AuditWriter.Figures, pools: PostgresPool.Figures,
        queue: ExportService.QueueFigures?, disk: ExportService.DiskFigures
    ) {
        self.init()
        if let queue {
            self.queue = .init(queue.depth)
            work = .init(queue.counters)
        }
        archives.freeBytes = disk.space?.free
        archives.sizeBytes = disk.space?.size
        archives.stuckOperations = disk.stuck
        archives.ok = disk.isOurs
        requests = server.requests.sorted { ($0.key.method, $0.key.outcome) < ($1.key.method, $1.key.outcome) }
            .map { .init(method: $0.key.method, outcome: $0.key.outcome, count: $0.value) }
        requestTimes = .init(
            bounds: ServerMetrics.bounds, counts: server.durations, sum: Int(server.time / .microseconds(1)))
        downloads.opened = server.openedWorkbooks
        downloads.sentBytes = server.sentBytes
        downloads.transfers = transfers
        auditEvents.waiting = trail.waiting
        auditEvents.lost = trail.lost
        connections.open = server.connections
        connections.accepted = server.acceptedConnections
        connections.refused = server.refusedConnections
        connections.stalled = server.stalledConnections
        databaseConnections.opened = pools.opened
        databaseConnections.lost = pools.lost
        databaseConnections.failed = pools.failed
    }
}

extension ServiceStats.Queue {
    fileprivate init(_ depth: QueueControl.Depth) {
        self.init()
        queued = depth.queued
        running = depth.running
        oldestQueuedMs = depth.oldestQueuedMilliseconds
        paused = depth.isPaused
        slots = depth.slots
        workers.ok = depth.workersByStorage["ok"] ?? 0
        workers.full = depth.workersByStorage["full"] ?? 0
        workers.failed = depth.workersByStorage["failed"] ?? 0
        workers.wrongStore = depth.workersByStorage["wrong-store"] ?? 0
    }
}

extension ServiceStats.Work {
    fileprivate init(_ counters: [String: Int]) {
        self.init()
        func value(_ name: WorkerCounters.Name) -> Int { counters[name.rawValue] ?? 0 }
        func histogram(_ kind: WorkerCounters.Histogram) -> ServiceStats.Histogram {
            let bounds = WorkerCounters.Histogram.bounds
            return .init(
                bounds: bounds.map { $0 * 1_000 },
                counts: (bounds.map { Optional($0) } + [nil]).map { counters[kind.bucket($0)] ?? 0 },
                sum: Int(clamping: Int128(counters[kind.sum] ?? 0) * 1_000))
        }
        attempts.succeeded = value(.succeeded)
        attempts.failed = value(.failed)
        attempts.cancelled = value(.cancelled)
        attempts.retried = value(.retried)
        attempts.handedBack = value(.handedBack)
        attempts.returned = value(.returned)
        rescues.leaseOver = value(.rescuedLeaseOver)
        rescues.sessionOver = value(.rescuedSessionOver)
        rescues.overdue = value(.rescuedOverdue)
        rescues.leaseMissing = value(.rescuedLeaseMissing)
        rejectedWrites = value(.rejected)
        rows = value(.rows)
        workbookBytes = value(.bytes)
        waits = histogram(.wait)
        runs = histogram(.run)
        databaseConnections.opened = value(.connectionsOpened)
        databaseConnections.lost = value(.connectionsLost)
        databaseConnections.failed = value(.connectionsFailed)
    }
}

extension ServiceStats.Histogram {
    /// - Parameters:
    ///   - bounds: in microseconds, increasing.
    ///   - counts: one more than the bounds.
    fileprivate init(bounds: [Int], counts: [Int], sum: Int) {
        self.init()
        buckets = zip(bounds.map { Optional($0) } + [nil], counts).map { .init(upToUs: $0, count: $1) }
        sumUs = sum
    }
}

/// All metrics of the service, as numbers and as OpenMetrics text. They name no tenant, no administrator and no path.
struct MetricsReport: Sendable {
    let stats: ServiceStats.Result
    let text: String

    init(_ stats: ServiceStats.Result) {
        self.stats = stats
        var text = OpenMetricsText()
        text.family("adminexport_build", .info, "Version of the service and of its database schema.")
        text.sample(
            "adminexport_build_info", ["version": AdminExportDaemon.version, "schema": "\(Migrator.version)"], 1)
        text.gauge("adminexport_database_up", "Whether the database answers.", stats.queue == nil ? 0 : 1)
        if let queue = stats.queue { Self.add(queue, &text) }
        if let work = stats.work { Self.add(work, &text) }
        Self.add(stats.archives, &text)
        Self.addRequests(stats, &text)
        Self.addConnections(stats, &text)
        ProcessFigures().add(to: &text)
        self.text = text.text
    }

    private static func add(_ queue: ServiceStats.Queue, _ text: inout OpenMetricsText) {
        text.family("adminexport_jobs", .gauge, "Exports that are queued or running.")
        text.samples("adminexport_jobs", "state", ["queued": queue.queued, "running": queue.running])
        text.family(
            "adminexport_oldest_queued_seconds", .gauge, unit: "seconds",
            "Waiting time of the export that has been queued longest; 0 if none is queued.")
        text.sample("adminexport_oldest_queued_seconds", [:], Double(queue.oldestQueuedMs ?? 0) / 1_000)
        text.gauge("adminexport_queue_paused", "Whether an operator has paused the queue.", queue.paused ? 1 : 0)
        text.family(
            "adminexport_workers", .gauge, "Workers that have reported in the last 30 s, by the state of their storage.")
        let workers = queue.workers
        text.samples(
            "adminexport_workers", "storage",
            ["ok": workers.ok, "full": workers.full, "failed": workers.failed, "wrong-store": workers.wrongStore])
        text.gauge("adminexport_worker_slots", "Exports that these workers can run at the same time.", queue.slots)
    }

    private static func add(_ work: ServiceStats.Work, _ text: inout OpenMetricsText) {
        let (attempts, rescues) = (work.attempts, work.rescues)
        text.family("adminexport_attempts", .counter, "Ended attempts of exports, of all workers, by result.")
        text.samples(
            "adminexport_attempts_total", "result",
            [
                "succeeded": attempts.succeeded, "failed": attempts.failed, "cancelled": attempts.cancelled,
                "retried": attempts.retried, "handed-back": attempts.handedBack, "returned": attempts.returned,
            ])
        text.family("adminexport_rescues", .counter, "Exports that were taken from workers that died or hung, by reason.")
        text.samples(
            "adminexport_rescues_total", "reason",
            [
                "lease-over": rescues.leaseOver, "session-over": rescues.sessionOver, "overdue": rescues.overdue,
                "lease-missing": rescues.leaseMissing,
            ])
        text.counter(
            "adminexport_rejected_writes", "Writes that were refused because the worker no longer held the lease.",
            work.rejectedWrites)
        text.counter("adminexport_rows", "Rows of finished workbooks.", work.rows)
        text.counter("adminexport_workbook_bytes", unit: "bytes", "Bytes of finished workbooks.", work.workbookBytes)
        text.histogram(
            "adminexport_queue_wait_seconds", "Time from when an export could start until it started.", work.waits)
        text.histogram(
            "adminexport_export_duration_seconds", "Duration of attempts that succeeded.",
            work.runs)
        text.family("adminexport_worker_database_connections", .counter, "Connections of workers to the database, by event.")
        add(work.databaseConnections, "adminexport_worker_database_connections_total", &text)
    }

    private static func add(
        _ connections: ServiceStats.DatabaseConnections, _ name: String, _ text: inout OpenMetricsText
    ) {
        text.samples(
            name, "event", ["opened": connections.opened, "lost": connections.lost, "failed": connections.failed])
    }

    private static func add(_ archives: ServiceStats.Archives, _ text: inout OpenMetricsText) {
        if let free = archives.freeBytes, let size = archives.sizeBytes {
            text.gauge(
                "adminexport_archives_free_bytes", unit: "bytes",
                "Bytes that can still be written to the archives' file system.",
                free)
            text.gauge("adminexport_archives_size_bytes", unit: "bytes", "Size of the archives' file system.", size)
        }
        text.gauge(
            "adminexport_stuck_file_operations", "Operations on archives that have not returned for ten seconds.",
            archives.stuckOperations)
        if let ok = archives.ok {
            text.gauge(
                "adminexport_archives_ok",
                "Whether the archives' disk answers and belongs to this database.", ok ? 1 : 0)
        }
    }

    private static func addRequests(_ stats: ServiceStats.Result, _ text: inout OpenMetricsText) {
        text.family("adminexport_requests", .counter, "Requests that this process has answered, by method and outcome.")
        for request in stats.requests {
            text.sample(
                "adminexport_requests_total", ["method": request.method, "outcome": request.outcome], request.count)
        }
        text.histogram(
            "adminexport_request_duration_seconds",
            "Duration of requests, except those whose duration the caller chooses.",
            stats.requestTimes)
        text.counter("adminexport_downloads", "Workbooks that callers have opened.", stats.downloads.opened)
        text.counter(
            "adminexport_sent_bytes", unit: "bytes", "Bytes of workbooks sent through pipes and in parts.",
            stats.downloads.sentBytes)
        text.gauge("adminexport_transfers", "Workbooks that are being sent through pipes.", stats.downloads.transfers)
        text.gauge(
            "adminexport_audit_events_waiting", "Denials and failed deliveries that wait to be written to the audit trail.",
            stats.auditEvents.waiting)
        text.counter(
            "adminexport_audit_events_lost", "Failed deliveries that were dropped and are missing in the audit trail.",
            stats.auditEvents.lost)
    }

    private static func addConnections(_ stats: ServiceStats.Result, _ text: inout OpenMetricsText) {
        let connections = stats.connections
        text.gauge("adminexport_connections", "Open connections of callers.", connections.open)
        text.counter("adminexport_accepted_connections", "Accepted connections of callers.", connections.accepted)
        text.counter(
            "adminexport_refused_connections", "Connections of callers that were refused because of a limit.",
            connections.refused)
        text.counter(
            "adminexport_stalled_connections",
            "Connections that were closed because the caller did not read or did not complete a line.",
            connections.stalled)
        text.family("adminexport_database_connections", .counter, "Connections of this process to the database, by event.")
        add(stats.databaseConnections, "adminexport_database_connections_total", &text)
    }
}
