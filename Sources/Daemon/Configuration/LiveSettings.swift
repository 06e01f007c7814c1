internal import Directory
internal import Evidence
internal import Exports
private import Synchronization

/// The settings that a reload changes while the process runs.
final class LiveSettings: Sendable {
    struct Values: Sendable {
        var limits: ServiceLimits
        /// How long an idempotency key identifies the export that it started.
        var idempotency: Duration
        /// What actors may see of groups outside their scope.
        var otherGroups: OtherGroups
        /// Whether workbooks have a sheet about the export if a caller does not decide.
        var includesAbout: Bool
        /// The keys with which receipts are verified.
        var publicKeys: [VerificationKey]

        init(_ configuration: ServiceConfiguration) {
            limits = configuration.limits
            idempotency = configuration.idempotency
            otherGroups = configuration.otherGroups
            includesAbout = configuration.includesAbout
            publicKeys = configuration.publicKeys
        }
    }

    private let state: Mutex<Values>

    init(_ configuration: ServiceConfiguration) {
        state = Mutex(Values(configuration))
    }

    func apply(_ configuration: ServiceConfiguration) {
        state.withLock { $0 = Values(configuration) }
    }

    var limits: ServiceLimits { state.withLock(\.limits) }
    var otherGroups: OtherGroups { state.withLock(\.otherGroups) }
    var includesAbout: Bool { state.withLock(\.includesAbout) }
    var publicKeys: [VerificationKey] { state.withLock(\.publicKeys) }

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
