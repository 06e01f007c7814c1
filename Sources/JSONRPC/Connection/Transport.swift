/// The bytes of one connection, both ways. A socket in the service, a pair of queues in tests.
package protocol Transport<Attachment>: Sendable {
    /// The pieces that arrive, in order and of any size.
    associatedtype Inbound: AsyncSequence where Inbound.Element == [UInt8]
    /// What can accompany bytes: an open file, if the transport is a Unix socket.
    associatedtype Attachment: Sendable

    /// What the peer sends, until it closes its side. One task reads it.
    var inbound: Inbound { get }

    /// Writes bytes, and the attachments with the first of them. Returns when the operating system has taken all of them. Only one task
    /// at a time calls it.
    func write(_ bytes: ArraySlice<UInt8>, _ attachments: [Attachment]) async throws

    /// What the operating system keeps for the peer, in bytes. It shrinks while the peer reads.
    var unread: Int { get async }

    /// Closes both directions. A write that waits fails, and ``inbound`` ends.
    func close()
}
