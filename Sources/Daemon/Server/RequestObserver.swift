internal import AdminExportAPI
private import Exports
internal import JSONRPC
internal import Logging
private import Sockets

/// Counts what requests come to, and says in the log who asked for what they may not.
final class RequestObserver: Sendable {
    private let metrics: ServerMetrics
    private let refusals: ThrottledLog

    init(metrics: ServerMetrics, logger: Logger) {
        self.metrics = metrics
        // The figures count all of them, and the audit trail has the names that are not written here.
        refusals = ThrottledLog(DaemonEvent.requestRefused, logger)
    }

    func answered(_ call: ServiceDispatcher.Call, _ error: RPCError?, after duration: Duration) {
        metrics.served(call.method, error?.kind ?? "ok", in: call.traits.contains(.long) ? nil : duration)
        if error?.kind == ErrorKind.permissionDenied.rawValue {
            refusals.report([.method: call.method, .uid: call.session.peer.uid])
        }
    }
}
