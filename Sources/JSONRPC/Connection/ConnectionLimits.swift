/// The limits of a connection.
package struct ConnectionLimits: Sendable {
    /// Bytes in a line.
    package var line = 1024 * 1024
    /// Depth to which arrays and objects may nest.
    package var nesting = 32
    /// Requests in a batch.
    package var batch = 32
    /// Bytes of a batch's replies. Beyond them, the remaining requests of the batch are refused.
    package var batchReplies = 1024 * 1024
    /// Requests and batches that run at the same time.
    package var inFlight = 32
    /// Requests and batches that wait for a place among those that run.
    package var parked = 32
    /// Subscriptions that are open at the same time.
    package var subscriptions = 16
    /// Bytes of output that may wait for the peer. Beyond them, the connection reads nothing from the peer.
    package var output = 256 * 1024
    /// How long a peer may take from the first byte of a line to its end.
    package var partialLine: Duration = .seconds(10)
    /// How long a peer may read nothing while output waits for it.
    package var unreadOutput: Duration = .seconds(30)
    /// How long a stop waits for requests in flight.
    package var stopTimeout: Duration = .seconds(8)
    /// How long a stop continues to refuse requests after the last one in flight was answered.
    package var stopLinger: Duration = .milliseconds(20)
    /// How long a peer that left a line unfinished has to take the error that says so.
    package var errorDelivery: Duration = .seconds(1)
    /// Bytes that are reserved for a large reply while it is made.
    package static let largeReplyBytes = 1536 * 1024

    /// The defaults.
    package init() {}
}
