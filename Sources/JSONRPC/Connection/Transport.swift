/// The bytes of one connection, both ways. A socket in the service, a pair of queues in tests.
package protocol Transport: Sendable {
    associatedtype Inbound: AsyncSequence where Inbound.Element == [UInt8]

    /// What the peer sends, until it ends its side. Read by one task.
    var inbound: Inbound { get }

    /// Sends whole lines; returns when there is room again. Calls do not mix their bytes.
    func write(_ bytes: [UInt8]) async throws
}
