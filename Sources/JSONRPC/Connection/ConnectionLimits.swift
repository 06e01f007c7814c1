/// What a connection may ask of the service.
package struct ConnectionLimits: Sendable {
    /// Bytes of a line.
    package var line = 1024 * 1024
    /// Depth of arrays and objects.
    package var nesting = 32
    /// Requests in a batch.
    package var batch = 32
    /// Bytes of a batch's replies, after which no more of its requests are run.
    package var batchReplies = 1024 * 1024
    /// Requests and batches that run at a time.
    package var inFlight = 32
    /// Requests and batches that wait until others have ended.
    package var parked = 32
    /// Subscriptions at a time.
    package var subscriptions = 16
    /// Bytes that may wait for the peer before no more is read from it.
    package var output = 256 * 1024
    /// From a line's first byte to its end.
    package var partialLine: Duration = .seconds(10)
    /// Without a read of the peer while output waits.
    package var unreadOutput: Duration = .seconds(30)
    /// How long a stop waits for requests in flight.
    package var stopTimeout: Duration = .seconds(8)
    /// How long a stop still refuses requests after everything has been answered.
    package var stopLinger: Duration = .milliseconds(20)
    /// How long a peer that stalls has to take the error that says why.
    package var errorDelivery: Duration = .seconds(1)
    /// Bytes that a large reply may take while it is made.
    package static let largeReplyBytes = 1536 * 1024

    /// The defaults.
    package init() {}
}
