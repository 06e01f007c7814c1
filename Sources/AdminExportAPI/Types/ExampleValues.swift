/// What the examples are about: an export of a small tenant that is done.
enum ExampleValues {
    static let actor = ActorName(tenant: "acme", administrator: "owner@acme.example")
    static let jobID = "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b"

    static let queued = job(.queued)
    static let running = job(.running)
    static let succeeded = job(.succeeded)
    static let expired = job(.expired)

    static let worker = WorkerStatus(
        id: "019ac0d1-02aa-7c55-8d6e-1f0c9be35a72", host: "exports-1", version: "0.1.0",
        startedAt: "2026-11-25T09:16:02.310Z",
        seenAt: "2026-11-25T09:31:07.122Z", slots: 2, running: 1, draining: true, storage: "ok")

    private static func job(_ state: Job.State) -> Job {
        let isDone = state.isFinal
        return Job(
            id: jobID, tenant: actor.tenant, requestedBy: actor.administrator, includeDisabled: false,
            includeReferences: false, state: state, revision: isDone ? 4 : state == .running ? 3 : 1,
            progress: Job.Progress(rowsDone: isDone ? 6 : 0, rowsTotal: state == .queued ? nil : 6),
            queuePosition: state == .queued ? 1 : nil, cancelRequested: false, createdAt: "2026-11-25T09:30:00.000Z",
            startedAt: state == .queued ? nil : "2026-11-25T09:30:00.120Z",
            attemptStartedAt: state == .queued ? nil : "2026-11-25T09:30:00.120Z",
            finishedAt: isDone ? "2026-11-25T09:30:00.480Z" : nil,
            expiresAt: isDone ? "2026-12-02T09:30:00.480Z" : nil,
            fileName: isDone ? "administrators-acme-2026-11-25.xlsx" : nil, size: isDone ? 6_921 : nil,
            sha256: isDone ? "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef" : nil,
            rows: isDone ? 6 : nil, sheets: isDone ? 1 : nil, warnings: [], error: nil)
    }
}
