internal import AdminExportAPI
internal import AdminExportClient
private import Synchronization

/// Follows an export to its end, and shows how far it is and what keeps it from beginning.
struct FollowedExport {
    let client: ReconnectingClient
    /// Nil for an operator.
    let actor: ActorName?
    let progress: ProgressReporter
    let quiet: Bool

    func finish(_ id: String) async throws -> Job {
        let latest = Latest()
        let notice =
            quiet
            ? nil
            : Task { [client, actor, progress] in
                await QueueNotice(client: client, actor: actor).watch({ latest.job }, say: progress.say)
            }
        defer {
            notice?.cancel()
            progress.end()
        }
        return try await client.finish(actor, job: id) { job in
            latest.job = job
            progress.show(job)
        }
    }

    private final class Latest: Sendable {
        private let value = Mutex<Job?>(nil)

        var job: Job? {
            get { value.withLock { $0 } }
            set { value.withLock { $0 = newValue } }
        }
    }
}
