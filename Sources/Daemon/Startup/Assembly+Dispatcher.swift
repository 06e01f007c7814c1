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
        let translation = ErrorTranslation(logger: logger) { [contract] in contract.requestInspection() }
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
        let handlers =
            ExportHandlers(exports: exports, metrics: metrics, settings: settings).methods
            + OperatorHandlers(exports: exports).methods
            + ServiceHandlers(exports: exports, contract: contract, settings: settings, attributes: configuration.attributes)
        { await inspector.refresh() }.methods
        let dispatcher = ServiceDispatcher(
            handlers + [
                .result(ServiceMetrics.self, .control) { _, _ in
                    ServiceMetrics.Result(contentType: OpenMetricsText.contentType, body: try await report().text)
                },
                .result(ServiceStats.self, .control) { _, _ in try await report().stats },
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
            dispatcher.names == MethodDescription.all.map(\.name).sorted(), "the handlers and the described methods differ")
        return dispatcher
    }
}
