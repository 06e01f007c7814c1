internal import ExportAPI
internal import Exports
internal import JSONRPC
private import Synchronization

extension Assembly {
    /// What is served: every method that is described, each under observation.
    func dispatcher(
        _ exports: ExportService, _ probe: MetricsProbe, _ metrics: ServerMetrics
    ) -> ServiceDispatcher {
        let translation = ErrorTranslation(logger: logger)
        let observer = RequestObserver(metrics: metrics, translation: translation, logger: logger)
        let dispatcher = ServiceDispatcher(
            [
                AuditListHandler(exports: exports).method,
                ExportCancelHandler(exports: exports).method, ExportDeleteHandler(exports: exports).method,
                ExportGetHandler(exports: exports).method, ExportListHandler(exports: exports).method,
                ExportOpenHandler(exports: exports, metrics: metrics).method,
                ExportReadHandler(exports: exports, metrics: metrics).method,
                ExportStartHandler(exports: exports).method, ExportUnwatchHandler().method,
                ExportWaitHandler(exports: exports).method, ExportWatchHandler(exports: exports).method,
                RPCDiscoverHandler().method, ServiceHealthHandler(probe: HealthProbe(exports: exports)).method,
                ServiceDrainHandler(exports: exports).method, ServiceHoldHandler(exports: exports).method,
                ServiceInfoHandler(settings: settings).method, ServiceMetricsHandler(probe: probe).method,
                ServicePauseHandler(exports: exports).method, ServiceResumeHandler(exports: exports).method,
                ServiceWorkersHandler(exports: exports).method,
            ].map { observer.observing($0) }
        ) { error, method in translation(error, in: method, uid: nil) }
        precondition(
            dispatcher.names == MethodDescription.all.map(\.name).sorted(), "what is served is not what is described")
        return dispatcher
    }
}

/// How many callers are connected, for those who have to be there before the server is.
final class Connections: Sendable {
    private let source = Mutex<(@Sendable () -> (now: Int, ever: Int))?>(nil)

    func ask(_ source: @escaping @Sendable () -> (now: Int, ever: Int)) {
        self.source.withLock { $0 = source }
    }

    var count: (now: Int, ever: Int) { source.withLock { $0 }?() ?? (0, 0) }
}
