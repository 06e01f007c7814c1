internal import AdminExportAPI
internal import Directory
internal import Exports
internal import JSONRPC
internal import Postgres
private import Sockets

extension Assembly {
    /// What is served: every method that is described.
    func dispatcher(
        _ exports: ExportService, _ metrics: ServerMetrics, _ transfers: Transfers, _ trail: AuditWriter,
        _ pool: PostgresPool, _ inspector: DirectoryInspector
    ) -> ServiceDispatcher {
        let translation = ErrorTranslation(logger: logger) { [contract] in contract.lookAgain() }
        let observer = RequestObserver(metrics: metrics, logger: logger)
        let flight = SingleFlight<MetricsReport>(reusingValueFor: .seconds(1))
        let report = { @Sendable in
            try await flight.run {
                let queue = try? await exports.queueFigures()
                let disk = await exports.diskFigures(queue?.facts)
                return MetricsReport(
                    .init(
                        server: metrics.figures, transfers: transfers.count, trail: trail.figures, pools: pool.figures,
                        queue: queue, disk: disk))
            }
        }
        let dispatcher = ServiceDispatcher(
            [
                AuditListHandler(exports: exports).method,
                ExportCancelHandler(exports: exports).method, ExportDeleteHandler(exports: exports).method,
                ExportGetHandler(exports: exports).method, ExportListHandler(exports: exports).method,
                ExportOpenHandler(exports: exports, metrics: metrics).method,
                ExportReadHandler(exports: exports, metrics: metrics).method,
                ExportStartHandler(exports: exports).method, ExportUnwatchHandler().method,
                ExportWaitHandler(exports: exports).method, ExportWatchHandler(exports: exports).method,
                RPCDiscoverHandler().method,
                ServiceHealthHandler(exports: exports, contract: contract) { await inspector.refresh() }.method,
                ServiceDrainHandler(exports: exports).method, ServiceHoldHandler(exports: exports).method,
                ServiceInfoHandler(settings: settings).method, ServiceMetricsHandler(report: report).method,
                ServiceStatsHandler(report: report).method,
                ServicePauseHandler(exports: exports).method, ServiceResumeHandler(exports: exports).method,
                ServiceWorkersHandler(exports: exports).method,
            ], answered: { call, error, duration in observer.answered(call, error, after: duration) }
        ) { [contract] error, call in
            let denied = error as? DeniedRequest
            let cause = denied?.error ?? error
            let fault = contract.fault(behind: cause)
            if let denied, fault == nil {
                // The caller is answered at once: the trail's writer waits for the database.
                trail.denied(
                    call.session.callingProcess, reason: denied.reason, method: call.method, subject: denied.subject)
            }
            return translation(fault ?? cause, in: call.method, uid: call.session.peer.uid)
        }
        precondition(
            dispatcher.names == MethodDescription.all.map(\.name).sorted(), "what is served is not what is described")
        return dispatcher
    }
}
