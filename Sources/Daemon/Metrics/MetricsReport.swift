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
        text.family("adminexport_build", .info, "The version of the program that answers.")
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
        text.family("adminexport_jobs", .gauge, "Exports that wait or run.")
        text.samples("adminexport_jobs", "state", ["queued": queue.queued, "running": queue.running])
        text.family(
            "adminexport_oldest_queued_seconds", .gauge, unit: "seconds",
            "How long the export has waited that has waited longest; 0 where none waits.")
        text.sample("adminexport_oldest_queued_seconds", [:], Double(queue.oldestQueuedMs ?? 0) / 1_000)
        text.gauge("adminexport_queue_paused", "Whether an operator has stopped the queue.", queue.paused ? 1 : 0)
        text.family("adminexport_workers", .gauge, "Workers heard of in the last half minute, by the state of their disk.")
        let workers = queue.workers
        text.samples(
            "adminexport_workers", "storage",
            ["ok": workers.ok, "full": workers.full, "failed": workers.failed, "wrong-store": workers.wrongStore])
        text.gauge("adminexport_worker_slots", "Exports that those workers make at a time.", queue.slots)
    }

    private static func add(_ work: ServiceStats.Work, _ text: inout OpenMetricsText) {
        let (attempts, rescues) = (work.attempts, work.rescues)
        text.family("adminexport_attempts", .counter, "Attempts of exports that have ended, of all workers.")
        text.samples(
            "adminexport_attempts_total", "result",
            [
                "succeeded": attempts.succeeded, "failed": attempts.failed, "cancelled": attempts.cancelled,
                "retried": attempts.retried, "handed-back": attempts.handedBack, "returned": attempts.returned,
            ])
        text.family("adminexport_rescues", .counter, "Exports that were taken from workers that had died or hung.")
        text.samples(
            "adminexport_rescues_total", "reason",
            ["lease-over": rescues.leaseOver, "overdue": rescues.overdue, "lease-missing": rescues.leaseMissing])
        text.counter(
            "adminexport_rejected_writes", "Writes of workers that were refused because the export was not theirs any more.",
            work.rejectedWrites)
        text.counter("adminexport_rows", "Administrators in finished workbooks.", work.rows)
        text.counter("adminexport_workbook_bytes", unit: "bytes", "Bytes of finished workbooks.", work.workbookBytes)
        text.histogram("adminexport_queue_wait_seconds", "From when an export could be begun until it was.", work.waits)
        text.histogram(
            "adminexport_export_duration_seconds", "From the beginning of an attempt that succeeded to its end.",
            work.runs)
        text.family("adminexport_worker_database_connections", .counter, "Connections of workers to the database.")
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
                "adminexport_archives_free_bytes", unit: "bytes", "Bytes that may still be written on the archives' disk.",
                free)
            text.gauge("adminexport_archives_size_bytes", unit: "bytes", "Bytes of the archives' file system.", size)
        }
        text.gauge(
            "adminexport_stuck_file_operations", "Operations on archives that have not come back for ten seconds.",
            archives.stuckOperations)
        if let ok = archives.ok {
            text.gauge(
                "adminexport_archives_ok",
                "Whether the archives' disk answers, and is the one of this database.", ok ? 1 : 0)
        }
    }

    private static func addRequests(_ stats: ServiceStats.Result, _ text: inout OpenMetricsText) {
        text.family("adminexport_requests", .counter, "Requests that this process has answered.")
        for request in stats.requests {
            text.sample(
                "adminexport_requests_total", ["method": request.method, "outcome": request.outcome], request.count)
        }
        text.histogram(
            "adminexport_request_duration_seconds", "How long requests took, but for those whose caller chooses that.",
            stats.requestTimes)
        text.counter("adminexport_downloads", "Workbooks that were given out as open files.", stats.downloads.opened)
        text.counter(
            "adminexport_sent_bytes", unit: "bytes", "Bytes of workbooks given out through pipes and in parts.",
            stats.downloads.sentBytes)
        text.gauge("adminexport_transfers", "Workbooks on their way through pipes.", stats.downloads.transfers)
        text.gauge(
            "adminexport_audit_events_waiting", "Denials and failed deliveries that are not in the audit trail yet.",
            stats.auditEvents.waiting)
        text.counter(
            "adminexport_audit_events_lost", "Failed deliveries that are not in the audit trail and will not be.",
            stats.auditEvents.lost)
    }

    private static func addConnections(_ stats: ServiceStats.Result, _ text: inout OpenMetricsText) {
        let connections = stats.connections
        text.gauge("adminexport_connections", "Callers that are connected.", connections.open)
        text.counter("adminexport_accepted_connections", "Callers that were let in.", connections.accepted)
        text.counter("adminexport_refused_connections", "Callers over a limit.", connections.refused)
        text.counter(
            "adminexport_stalled_connections", "Callers dropped because they did not read or did not finish a line.",
            connections.stalled)
        text.family("adminexport_database_connections", .counter, "Connections of this process to the database.")
        add(stats.databaseConnections, "adminexport_database_connections_total", &text)
    }
}
