internal import AdminExportAPI
internal import AdminExportClient

/// Why an export does not begin, and what to do about it: as far as anybody who may connect can tell.
struct QueueNotice {
    /// How long an export may wait before there is a reason to ask.
    private static let patience: Duration = .seconds(3)
    /// How long the service may take to answer: it is no answer that anybody waits for.
    private static let timeout: Duration = .seconds(5)

    let client: ReconnectingClient
    let actor: ActorName?

    /// Asks as soon as the export has waited, and again while there is nothing to say. Ends when it has said something, and with its task.
    ///
    /// - Parameter job: the export as it stands.
    func watch(_ job: () -> Job?, say: (TerminalText) -> Void) async {
        while (try? await Task.sleep(for: Self.patience)) != nil {
            guard let job = job(), job.state == .queued, let text = try? await text(about: job) else { continue }
            return say(text)
        }
    }

    private func text(about job: Job) async throws -> TerminalText? {
        let health = try await client.call(ServiceHealth.self, NoMembers(), timeout: Self.timeout)
        let limit = try await client.call(ServiceInfo.self, NoMembers(), timeout: Self.timeout).limits.runningPerTenant
        return Self.text(about: job, health, runningPerTenant: limit)
    }

    /// - Returns: nil where nothing is known to be in the way.
    static func text(about job: Job, _ health: ServiceHealth.Result, runningPerTenant limit: Int) -> TerminalText? {
        // Without a database nothing is known, and an attempt that has failed is made again by itself.
        guard health.database == "ok", job.state == .queued, job.error == nil, !job.cancelRequested else { return nil }
        let workers = health.workers ?? 0
        if workers == 0 {
            return
                "the export waits, because no worker is running; start one: systemctl enable --now adminexport-worker@1 (adminexport doctor says more)"
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
