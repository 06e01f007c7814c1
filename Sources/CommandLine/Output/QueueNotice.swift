internal import AdminExportAPI
internal import AdminExportClient

/// The reason why an export does not begin, and what to do, from information that every caller may read.
struct QueueNotice {
    /// The time after which the command queries the reason for a wait, and the interval between queries.
    private static let interval: Duration = .seconds(3)
    /// The timeout of a query.
    private static let timeout: Duration = .seconds(5)

    let client: ReconnectingClient
    let actor: ActorName?

    /// Queries the service in intervals while the export is queued, until a reason is known or the task is cancelled.
    ///
    /// - Parameters:
    ///   - job: returns the current state of the export.
    ///   - say: called once, with the reason.
    func watch(_ job: () -> Job?, say: (TerminalText) -> Void) async {
        while (try? await Task.sleep(for: Self.interval)) != nil {
            guard let job = job(), job.state == .queued, let text = try? await text(about: job) else { continue }
            return say(text)
        }
    }

    private func text(about job: Job) async throws -> TerminalText? {
        let health = try await client.call(ServiceHealth.self, NoMembers(), timeout: Self.timeout)
        let limit = try await client.call(ServiceInfo.self, NoMembers(), timeout: Self.timeout).limits.runningPerTenant
        return Self.text(about: job, health, runningPerTenant: limit)
    }

    /// - Returns: nil if no reason is known.
    static func text(about job: Job, _ health: ServiceHealth.Result, runningPerTenant limit: Int) -> TerminalText? {
        // Without a database, no reason is known. The service itself repeats a failed attempt.
        guard health.database == "ok", job.state == .queued, job.error == nil, !job.cancelRequested else { return nil }
        let workers = health.workers ?? 0
        if workers == 0 {
            return
                "the export waits, because no worker is running; start one: systemctl enable --now adminexport-worker@1 (see adminexport doctor)"
        }
        if health.paused == true {
            return
                "the export waits, because an operator has paused the queue; an operator can resume it: adminexport resume"
        }
        if health.draining == workers {
            return
                "the export waits, because every worker has been drained; an operator can undo that: adminexport drain WORKER --undo, or restart the worker"
        }
        if health.storage != "ok" {
            return "the export waits, because the archives cannot be used (\(health.storage)); see adminexport doctor"
        }
        let place: TerminalText =
            job.queuePosition.map { "it is number \($0) in the queue of its tenant" } ?? "it is in the queue"
        if let running = health.running, let slots = health.slots, running >= slots {
            return
                "the export waits, because the workers already run \(running) exports, which is their limit; \(place) and starts by itself; start more workers to shorten the wait"
        }
        return
            "the export waits, most likely because its tenant already runs \(limit) exports, which is the limit (limits.runningPerTenant); \(place) and starts by itself when one of them ends"
    }
}
