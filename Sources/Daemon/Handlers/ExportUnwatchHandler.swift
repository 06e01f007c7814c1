internal import AdminExportAPI
internal import JSONRPC

struct ExportUnwatchHandler: MethodHandler {
    typealias Called = ExportUnwatch
    static let traits: MethodTraits = .control

    func outcome(
        _ params: ExportUnwatch.Params, _ session: CallerSession, _ subscriptions: Subscriptions
    ) async throws -> ServiceOutcome {
        subscriptions.end(params.subscription)
        return Outcome(try WireCoding.encode(NoMembers()))
    }
}
