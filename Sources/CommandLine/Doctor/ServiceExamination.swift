internal import AdminExportAPI
internal import AdminExportClient

/// What the service says of itself and of who asks.
struct ServiceExamination {
    private static let patience: Duration = .seconds(10)
    /// Less than this is soon used up.
    private static let littleSpace = 2_000_000_000

    let connect: () throws -> Client

    func findings() async -> [Finding] {
        do {
            let client = try connect()
            let info = try await client.call(ServiceInfo.self, NoMembers(), timeout: Self.patience)
            let health = try await client.call(ServiceHealth.self, NoMembers(), timeout: Self.patience)
            return Self.findings(info) + Self.findings(health)
        } catch let error as ClientError {
            return [.failure("service", error.message, Self.remedy(error))]
        } catch {
            return [.failure("service", "\(error)", "See its journal: journalctl -x -e -u adminexport.service")]
        }
    }

    private static func remedy(_ error: ClientError) -> String {
        switch error.code {
        case .service(_, let kind) where kind == ErrorKind.overloaded.rawValue: "Too many callers: try again in a moment."
        default:
            "See its journal: journalctl -x -e -u adminexport.service; and: sudo -u adminexport adminexportd check-config"
        }
    }

    static func findings(_ info: ServiceInfo.Result) -> [Finding] {
        let own = AdminExport.version
        var findings = [
            info.version == own
                ? Finding.ok("versions", "\(own) on both sides")
                : .warning(
                    "versions", "the service is \(info.version), this program \(own)",
                    "Restart what is older: systemctl restart adminexport.service 'adminexport-worker@*'")
        ]
        let grants = info.caller.grants.map(\.words)
        findings.append(
            grants.isEmpty
                ? .failure(
                    "rights", "the service grants this user nothing",
                    "Add the user or a group to callers in /etc/adminexport/config.yaml, and: systemctl reload adminexport")
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

    /// A service of an older version says nothing of it.
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
        return [.ok("directory", "holds to its contract")]
    }

    private static func queue(_ health: ServiceHealth.Result) -> Finding {
        let (queued, running, workers) = (health.queued ?? 0, health.running ?? 0, health.workers ?? 0)
        let found = "\(queued) waiting, \(running) running, \(workers) \(workers == 1 ? "worker" : "workers")"
        if workers == 0 {
            return .failure(
                "queue", found + ": nobody makes exports", "Start a worker: systemctl enable --now adminexport-worker@1")
        }
        if health.draining == workers {
            return .failure(
                "queue", found + ", drained: nobody takes exports",
                "Let one take them again: adminexport workers; adminexport drain WORKER --undo; or restart it")
        }
        if health.paused == true {
            return .warning("queue", found + "; stopped by an operator", "Let it go on: adminexport resume")
        }
        if let oldest = health.oldestQueuedMs, oldest > 600_000 {
            return .warning(
                "queue", found + ", the oldest for \(StatsCommand.time(Double(oldest) / 1_000))",
                "More workers may help, or a look at what runs: adminexport workers, adminexport list --state running")
        }
        if queued > 0, running < health.slots ?? 0, let oldest = health.oldestQueuedMs, oldest > 15_000 {
            return .warning(
                "queue", found + ", the oldest for \(StatsCommand.time(Double(oldest) / 1_000)) though there are free slots",
                "A tenant at its limit (limits.runningPerTenant), or a worker that is drained or hangs: adminexport workers")
        }
        return .ok("queue", found)
    }

    private static func storage(_ health: ServiceHealth.Result) -> Finding {
        let free = health.freeBytes.map { "\(StatsCommand.bytes(Double($0))) free for archives" } ?? "free space unknown"
        guard health.storage == "ok" else {
            return .failure(
                "storage", "\(health.storage); \(free)",
                "Is the archives' file system mounted, has it room, and is its top adminexport-worker:adminexport-archives, mode 2750? "
                    + "Workers that run go on by themselves; units that have failed are to be restarted.")
        }
        if let bytes = health.freeBytes, bytes < littleSpace {
            return .warning("storage", free, "Make room, or keep workbooks for a shorter time (retention).")
        }
        return .ok("storage", free)
    }
}
