/// The bytes of one connection in both directions: a socket in the service, a pair of queues in tests.
package protocol Transport: Sendable {
    /// A sequence of pieces of any size, in the order of their arrival.
    associatedtype Inbound: AsyncSequence where Inbound.Element == [UInt8]

    /// What the peer sends, until it closes its side. One task reads it.
    var inbound: Inbound { get }

    /// Writes bytes, and the attachments with the first of them. Returns when the operating system has taken all of them. Only
    /// one task at a time calls it.
    func write(_ bytes: ArraySlice<UInt8>, _ attachments: [any Attachment]) async throws

    /// The number of bytes that the operating system keeps for the peer. It decreases while the peer reads.
    var unread: Int { get async }

    /// Closes both directions. A write that waits fails, and ``inbound`` ends.
    func close()
}

/// What a transport can send with bytes: an open file, if it is a Unix-domain socket.
package protocol Attachment: Sendable {}
