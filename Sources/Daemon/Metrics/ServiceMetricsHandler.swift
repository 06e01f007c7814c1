internal import ExportAPI
internal import JSONRPC

struct ServiceMetricsHandler: ResultHandler {
    typealias Called = ServiceMetrics
    static let traits: MethodTraits = .control

    let probe: MetricsProbe

    func handle(_ params: NoMembers, _ session: Session) async throws -> ServiceMetrics.Result {
        ServiceMetrics.Result(contentType: OpenMetricsText.contentType, body: await probe.text())
    }
}
