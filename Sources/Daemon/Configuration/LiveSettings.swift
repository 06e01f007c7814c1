internal import AdminExportAPI
internal import Exports
private import Synchronization

/// What a reload may change while the process runs.
final class LiveSettings: Sendable {
    struct Values: Sendable {
        var limits: ServiceInfo.Limits
        /// Bytes that have to be free on the archives' disk for an export to begin.
        var leastFreeBytes: Int
        /// How long an idempotency key stands.
        var idempotency: Duration
    }

    private let state: Mutex<Values>

    init(_ configuration: ServiceConfiguration) {
        state = Mutex(Self.values(configuration))
    }

    func apply(_ configuration: ServiceConfiguration) {
        state.withLock { $0 = Self.values(configuration) }
    }

    private static func values(_ configuration: ServiceConfiguration) -> Values {
        Values(
            limits: configuration.limits, leastFreeBytes: configuration.leastFreeBytes,
            idempotency: configuration.idempotency)
    }

    var values: Values { state.withLock { $0 } }

    var limits: ServiceInfo.Limits { values.limits }

    var transferLimits: Transfers.Limits {
        let current = self.limits
        var limits = Transfers.Limits()
        limits.total = current.transfers
        limits.perUser = current.transfersPerUser
        limits.timeout = .milliseconds(current.unreadOutputMs)
        return limits
    }

    var startBounds: JobStore.Bounds {
        let values = self.values
        return JobStore.Bounds(queued: values.limits.queuedPerTenant, keyLifetime: values.idempotency)
    }
}
