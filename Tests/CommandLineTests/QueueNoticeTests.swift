import AdminExportAPI
import Testing

@testable import CommandLine

@Suite struct QueueNoticeTests {
    private func job(_ state: Job.State = .queued, position: Int? = 3, failed: Bool = false, cancelled: Bool = false) -> Job
    {
        Job(
            id: "i", tenant: "acme", requestedBy: "a", includeDisabled: false, includeReferences: false, state: state,
            revision: 1,
            progress: .init(rowsDone: 0, rowsTotal: nil), queuePosition: position, cancelRequested: cancelled,
            createdAt: "t",
            startedAt: nil, finishedAt: nil, expiresAt: nil, fileName: nil, size: nil, sha256: nil, rows: nil, sheets: nil,
            warnings: [],
            error: failed ? .init(kind: "storage-full", message: "m") : nil)
    }

    private func health(
        database: String = "ok", workers: Int? = 1, running: Int = 0, slots: Int = 2, draining: Int = 0,
        paused: Bool = false,
        storage: String = "ok"
    ) -> ServiceHealth.Result {
        var health = ServiceHealth.Result(status: .ok, database: database, storage: storage)
        (health.queued, health.running, health.workers, health.slots) = (3, running, workers, slots)
        (health.draining, health.paused) = (draining, paused)
        return health
    }

    private func text(_ job: Job, _ health: ServiceHealth.Result) -> String? {
        QueueNotice.text(about: job, health, runningPerTenant: 2)?.string
    }

    @Test("The notice about a queued export names each reason for the wait and what to do")
    func reasons() {
        for (health, parts) in [
            (health(workers: 0), ["no worker is running", "systemctl enable --now adminexport-worker@1"]),
            (health(workers: 0, paused: true), ["no worker is running"]),
            (health(paused: true), ["an operator has paused the queue", "adminexport resume"]),
            (health(draining: 1), ["every worker has been drained", "adminexport drain WORKER --undo"]),
            (health(storage: "not \u{1B}mounted"), ["archives cannot be used", "not \\u{1b}mounted", "adminexport doctor"]),
            (health(running: 2), ["already run 2 exports", "number 3", "more workers"]),
            (health(running: 1), ["its tenant already runs 2 exports", "limits.runningPerTenant", "number 3", "by itself"]),
        ] {
            let text = text(job(), health) ?? ""
            #expect(parts.allSatisfy { text.contains($0) }, "\(text)")
        }
    }

    @Test("There is no notice about an export that runs, has ended, is retried or is being cancelled, or without a database")
    func silence() {
        #expect(text(job(.running), health(workers: 0)) == nil && text(job(.succeeded), health(workers: 0)) == nil)
        #expect(
            text(job(failed: true), health(running: 1)) == nil && text(job(cancelled: true), health(paused: true)) == nil)
        #expect(text(job(), health(database: "unavailable", workers: nil)) == nil)
        #expect(text(job(position: nil), health(running: 2))?.contains("it is in the queue") == true)
    }
}
