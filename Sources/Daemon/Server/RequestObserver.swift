internal import AdminExportAPI
private import Exports
internal import JSONRPC
internal import Logging
private import Sockets

/// Counts the results of requests, and logs requests that were denied.
final class RequestObserver: Sendable {
    private let metrics: ServerMetrics
    private let refusals: ThrottledLog

    init(metrics: ServerMetrics, logger: Logger) {
        self.metrics = metrics
        // The log is throttled. The metrics count all denials, and the audit trail has the names that the log omits.
        refusals = ThrottledLog(DaemonEvent.requestRefused, logger)
    }

    func answered(_ call: ServiceDispatcher.Call, _ error: RPCError?, after duration: Duration) {
        metrics.served(call.method, error?.kind ?? "ok", in: call.traits.contains(.long) ? nil : duration)
        if error?.kind == ErrorKind.permissionDenied.rawValue {
            refusals.report([.method: call.method, .uid: call.session.peer.uid])
        }
    }
}
