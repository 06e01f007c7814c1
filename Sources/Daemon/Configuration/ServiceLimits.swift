internal import AdminExportAPI
internal import JSONRPC

/// Every limit that the service sets to its callers and tenants. The configuration's keys `limits.…` change them.
struct ServiceLimits: Sendable, Equatable {
    // Of all callers, or of one user.
    var connections = 128
    var connectionsPerUser = 32
    var bytes = 134_217_728
    var bytesPerUser = 50_331_648
    var transfers = 64
    var transfersPerUser = 16

    // Of one connection.
    var bytesPerConnection = 8_388_608
    var lineBytes = 1_048_576
    var inFlight = 32
    var subscriptions = 16
    /// From a line's first byte to its end.
    var partialLine: Duration = .seconds(10)
    /// Without a read of the caller while output waits.
    var unreadOutput: Duration = .seconds(30)

    // Of one tenant.
    var runningPerTenant = 2
    var queuedPerTenant = 16

    /// Free bytes on the archives' disk for an export to begin.
    var minFreeBytes = 268_435_456

    /// Two lines and two large replies.
    var minBytesPerConnection: Int { 2 * (lineBytes + ConnectionLimits.largeReplyBytes) }

    /// These limits for a connection that began under others: a connection keeps its own until it ends.
    func inForce(sinceBeginning began: ServiceLimits) -> ServiceLimits {
        var limits = self
        limits.bytesPerConnection = began.bytesPerConnection
        limits.lineBytes = began.lineBytes
        limits.inFlight = began.inFlight
        limits.subscriptions = began.subscriptions
        limits.partialLine = began.partialLine
        limits.unreadOutput = began.unreadOutput
        return limits
    }

    /// The part that the protocol's connection keeps.
    var connection: ConnectionLimits {
        var limits = ConnectionLimits()
        limits.line = lineBytes
        limits.inFlight = inFlight
        limits.subscriptions = subscriptions
        limits.partialLine = partialLine
        limits.unreadOutput = unreadOutput
        return limits
    }

    /// As `service.info` answers them.
    var wire: ServiceInfo.Limits {
        var wire = ServiceInfo.Limits()
        let connection = self.connection
        wire.lineBytes = connection.line
        wire.nesting = connection.nesting
        wire.batch = connection.batch
        wire.batchReplyBytes = connection.batchReplies
        wire.inFlight = connection.inFlight
        wire.parked = connection.parked
        wire.subscriptions = connection.subscriptions
        wire.outputBytes = connection.output
        wire.connections = connections
        wire.connectionsPerUser = connectionsPerUser
        wire.bytes = bytes
        wire.bytesPerUser = bytesPerUser
        wire.bytesPerConnection = bytesPerConnection
        wire.transfers = transfers
        wire.transfersPerUser = transfersPerUser
        wire.partialLineMs = partialLine.wholeMilliseconds
        wire.unreadOutputMs = unreadOutput.wholeMilliseconds
        wire.runningPerTenant = runningPerTenant
        wire.queuedPerTenant = queuedPerTenant
        return wire
    }
}
