/// The bytes of one connection, both ways. A socket in the service, a pair of queues in tests.
package protocol Transport: Sendable {
    associatedtype Inbound: AsyncSequence where Inbound.Element == [UInt8]

    /// What the peer sends, until it ends its side. Read by one task.
    var inbound: Inbound { get }

    /// Sends bytes; returns when the peer's side has taken them. Called by one task at a time.
    func write(_ bytes: ArraySlice<UInt8>) async throws
}
