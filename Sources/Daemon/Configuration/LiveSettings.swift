internal import Exports
private import Synchronization

/// The settings that a reload changes while the process runs.
final class LiveSettings: Sendable {
    struct Values: Sendable {
        var limits: ServiceLimits
        /// How long an idempotency key identifies the export that it started.
        var idempotency: Duration
    }

    private let state: Mutex<Values>

    init(_ configuration: ServiceConfiguration) {
        state = Mutex(Values(limits: configuration.limits, idempotency: configuration.idempotency))
    }

    func apply(_ configuration: ServiceConfiguration) {
        state.withLock { $0 = Values(limits: configuration.limits, idempotency: configuration.idempotency) }
    }

    var limits: ServiceLimits { state.withLock(\.limits) }

    var transferLimits: Transfers.Limits {
        let current = self.limits
        var limits = Transfers.Limits()
        limits.total = current.transfers
        limits.perUser = current.transfersPerUser
        limits.timeout = current.unreadOutput
        return limits
    }

    var startLimits: JobStore.Limits {
        let values = state.withLock { $0 }
        return JobStore.Limits(queued: values.limits.queuedPerTenant, keyLifetime: values.idempotency)
    }
}
