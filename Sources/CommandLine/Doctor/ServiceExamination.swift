internal import AdminExportAPI
internal import AdminExportClient

/// Checks what the service reports about itself and about this user.
struct ServiceExamination {
    private static let timeout: Duration = .seconds(10)
    /// In bytes.
    private static let minFreeSpace = 2_000_000_000

    let connect: () throws -> Client

    func findings() async -> [Finding] {
        do {
            let client = try connect()
            let info = try await client.call(ServiceInfo.self, NoMembers(), timeout: Self.timeout)
            let health = try await client.call(ServiceHealth.self, NoMembers(), timeout: Self.timeout)
            return Self.findings(info) + Self.findings(health)
        } catch let error as ClientError {
            return [.failure("service", error.message, Self.remedy(error))]
        } catch {
            return [.failure("service", "\(error)", "Run: journalctl -x -e -u adminexport.service")]
        }
    }

    private static func remedy(_ error: ClientError) -> String {
        switch error.code {
        case .service(_, let kind) where kind == ErrorKind.overloaded.rawValue:
            "The service has too many callers. Try again in a moment."
        default:
            "Run: journalctl -x -e -u adminexport.service; and: sudo -u adminexport adminexportd check-config"
        }
    }

    static func findings(_ info: ServiceInfo.Result) -> [Finding] {
        let own = AdminExport.version
        var findings = [
            info.version == own
                ? Finding.ok("versions", "\(own) on both sides")
                : .warning(
                    "versions", "the service is \(info.version), this program \(own)",
                    "Restart the older one: systemctl restart adminexport.service 'adminexport-worker@*'")
        ]
        let grants = info.caller.grants.map(\.words)
        findings.append(
            grants.isEmpty
                ? .failure(
                    "rights", "the configuration of the service gives this user no grants",
                    "Add the user or a group to callers in /etc/adminexport/config.yaml, then run: systemctl reload adminexport"
                )
                : .ok("rights", grants.joined(separator: "; ")))
        return findings
    }

    static func findings(_ health: ServiceHealth.Result) -> [Finding] {
        guard health.database == "ok" else {
            return health.database == "unavailable"
                ? [
                    .failure(
                        "database", "cannot be used by the service",
                        "Check that PostgreSQL is running. For details, run: sudo -u adminexport adminexportd check-config")
                ]
                : [
                    .failure(
                        "database", health.database,
                        "Run that statement as the database's owner. To list every fault, run: sudo -u adminexport adminexportd check-config"
                    )
                ]
        }
        return [
            .ok("database", "answers; schema version \(health.schemaVersion.map(String.init) ?? "unknown")"), queue(health),
            storage(health),
        ] + directory(health)
    }

    /// A service of an older version does not report the directory.
    private static func directory(_ health: ServiceHealth.Result) -> [Finding] {
        let faults = health.directoryFaults ?? []
        guard faults.isEmpty else { return faults.map { .failure("directory", $0.problem, $0.remedy) } }
        guard let directory = health.directory else { return [] }
        guard directory == "ok" else {
            return [
                .failure(
                    "directory", directory,
                    "Check that its server (directory.url) is running. For details, run: sudo -u adminexport-worker adminexportd check-config"
                )
            ]
        }
        return [.ok("directory", "satisfies its contract")]
    }

    private static func queue(_ health: ServiceHealth.Result) -> Finding {
        let (queued, running, workers) = (health.queued ?? 0, health.running ?? 0, health.workers ?? 0)
        let found = "\(queued) waiting, \(running) running, \(workers) \(workers == 1 ? "worker" : "workers")"
        if workers == 0 {
            return .failure(
                "queue", found + ": no process makes exports", "Start a worker: systemctl enable --now adminexport-worker@1")
        }
        if health.draining == workers {
            return .failure(
                "queue", found + ", all drained: no worker takes exports",
                "To let a worker take exports again, run: adminexport workers; adminexport drain WORKER --undo; or restart it"
            )
        }
        if health.paused == true {
            return .warning("queue", found + "; paused by an operator", "To continue, run: adminexport resume")
        }
        if let oldest = health.oldestQueuedMs, oldest > 600_000 {
            return .warning(
                "queue", found + ", the oldest for \(StatsCommand.time(Double(oldest) / 1_000))",
                "Add workers, or see what runs: adminexport workers; adminexport list --state running")
        }
        if queued > 0, running < health.slots ?? 0, let oldest = health.oldestQueuedMs, oldest > 15_000 {
            return .warning(
                "queue", found + ", the oldest for \(StatsCommand.time(Double(oldest) / 1_000)) though there are free slots",
                "A tenant is at its limit (limits.runningPerTenant), or a worker is drained or hangs. Run: adminexport workers"
            )
        }
        return .ok("queue", found)
    }

    private static func storage(_ health: ServiceHealth.Result) -> Finding {
        let free = health.freeBytes.map { "\(StatsCommand.bytes(Double($0))) free for archives" } ?? "free space unknown"
        guard health.storage == "ok" else {
            return .failure(
                "storage", "\(health.storage); \(free)",
                "Check that the file system of the archives is mounted and has room, and that its root directory belongs to "
                    + "adminexport-worker:adminexport-archives and has the mode 2750. Running workers continue by themselves; restart failed units."
            )
        }
        if let bytes = health.freeBytes, bytes < minFreeSpace {
            return .warning("storage", free, "Free disk space, or keep workbooks for a shorter time (retention).")
        }
        return .ok("storage", free)
    }
}
