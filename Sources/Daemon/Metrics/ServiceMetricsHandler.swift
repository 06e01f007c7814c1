internal import AdminExportAPI
internal import Exports
internal import JSONRPC

struct ServiceMetricsHandler: ResultHandler {
    typealias Called = ServiceMetrics
    static let traits: MethodTraits = .control

    private let text: SharedLook<String>

    /// - Parameter report: adds what this process knows by itself.
    init(
        exports: ExportService,
        report: @escaping @Sendable (ExportService.QueueFigures?, ExportService.DiskFigures) -> MetricsReport
    ) {
        text = SharedLook(freshFor: .seconds(1)) {
            let queue = try? await exports.queueFigures()
            return report(queue, await exports.diskFigures(queue?.facts)).text
        }
    }

    func handle(_ params: NoMembers, _ session: Session) async throws -> ServiceMetrics.Result {
        ServiceMetrics.Result(contentType: OpenMetricsText.contentType, body: await text.answer())
    }
}
