internal import AdminExportAPI
internal import AdminExportClient
private import Synchronization

/// Waits until an export has ended. Shows its progress, and why it waits if it does not begin.
struct FollowedExport {
    let client: ReconnectingClient
    /// The administrator of the export; nil for an operator.
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
