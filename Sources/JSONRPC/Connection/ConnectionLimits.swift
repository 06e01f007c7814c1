/// What a connection may ask of the service.
package struct ConnectionLimits: Sendable {
    /// Bytes of a line.
    package var line = 1024 * 1024
    package var nesting = 32
    /// Requests in a batch.
    package var batch = 32
    /// Bytes of a batch's replies, after which no more of its requests are run.
    package var batchReplies = 1024 * 1024
    package var inFlight = 32
    package var parked = 32
    package var subscriptions = 16
    /// Bytes that may wait for the peer before no more is read from it.
    package var output = 256 * 1024
    /// Bytes that a large reply may take while it is made.
    package static let largeReplyBytes = 1536 * 1024

    package init() {}
}
