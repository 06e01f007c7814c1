/// The bytes of one connection, both ways. A socket in the service, a pair of queues in tests.
package protocol Transport<Attachment>: Sendable {
    associatedtype Inbound: AsyncSequence where Inbound.Element == [UInt8]
    /// What can go along with bytes: an open file, where the transport is a Unix socket.
    associatedtype Attachment: Sendable

    /// What the peer sends, until it ends its side. Read by one task.
    var inbound: Inbound { get }

    /// Sends bytes, and the attachments with the first of them; returns when the peer's side has taken all of it. Called by
    /// one task at a time.
    func write(_ bytes: ArraySlice<UInt8>, _ attachments: [Attachment]) async throws
}
