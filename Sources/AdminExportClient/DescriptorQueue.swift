internal import Sockets

/// A descriptor that came with a reply.
enum Descriptor: Sendable {
    case arrived(PassedDescriptor)
    /// This process had no room for it.
    case lost
}

/// Descriptors that have come and not been taken, in their order. A pure value.
///
/// What the kernel gives at once need not be one line: a result takes as many descriptors as it declares, from the front.
struct DescriptorQueue {
    /// More than any sane service has on its way: a result takes its descriptor as soon as its line is there.
    private static let most = 16

    private var queue: [Descriptor] = []

    /// - Returns: false where there are more than can be wanted.
    mutating func add(_ received: ClientSocket.Received) -> Bool {
        queue += received.descriptors.map { .arrived($0) }
        // A message of this protocol carries one.
        if received.hasLostDescriptors { queue.append(.lost) }
        return queue.count <= Self.most
    }

    mutating func next() -> Descriptor? {
        queue.isEmpty ? nil : queue.removeFirst()
    }
}
