internal import AdminExportAPI
internal import Exports
internal import JSONRPC

struct ServiceMetricsHandler: ResultHandler {
    typealias Called = ServiceMetrics
    static let traits: MethodTraits = .control

    private let flight = SingleFlight<String>(reusingValueFor: .seconds(1))
    private let exports: ExportService
    private let report: @Sendable (ExportService.QueueFigures?, ExportService.DiskFigures) -> MetricsReport

    /// - Parameter report: adds what this process knows by itself.
    init(
        exports: ExportService,
        report: @escaping @Sendable (ExportService.QueueFigures?, ExportService.DiskFigures) -> MetricsReport
    ) {
        self.exports = exports
        self.report = report
    }

    func handle(_ params: NoMembers, _ session: CallerSession) async throws -> ServiceMetrics.Result {
        let text = try await flight.run { [exports, report] in
            let queue = try? await exports.queueFigures()
            return report(queue, await exports.diskFigures(queue?.facts)).text
        }
        return ServiceMetrics.Result(contentType: OpenMetricsText.contentType, body: text)
    }
}
