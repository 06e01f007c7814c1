internal import AdminExportAPI
internal import Exports
internal import JSONRPC

struct ExportWatchHandler: MethodHandler {
    typealias Called = ExportWatch

    let exports: ExportService

    func outcome(
        _ params: JobParams, _ session: CallerSession, _ subscriptions: Subscriptions
    ) async throws -> ServiceOutcome {
        let job = try await exports.get(session.requester(params.actor), job: JobID(param: params.job))
        let reply = try AdminExportAPI.Job(job)
        let subscription = try subscriptions.open()
        do {
            let json = try WireCoding.encode(ExportWatch.Result(subscription: subscription.id, job: reply))
            // Not before the reply: the caller has to know the subscription when the first notification comes.
            return Outcome(json) { [exports] _ in
                guard !job.state.isFinal else { return subscription.end() }
                subscription.onEnd(exports.watch(job) { Self.tell($0, subscription) })
            }
        } catch {
            subscription.end()
            throw error
        }
    }

    private static func tell(_ change: Result<Exports.Job, any Error>, _ subscription: Subscription) {
        // The job is gone, or cannot be written as JSON: there is nothing more to tell.
        guard let job = try? change.get(), let reply = try? AdminExportAPI.Job(job),
            let json = try? WireCoding.encode(ExportChanged(subscription: subscription.id, job: reply))
        else { return subscription.end() }
        subscription.notify(ExportChanged.name, json)
        if job.state.isFinal { subscription.end() }
    }
}
