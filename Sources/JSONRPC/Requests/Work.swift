/// One unit of ``InFlight``: a request or a whole batch.
struct Work: Sendable {
    enum Content: Sendable {
        case single(Call)
        case batch([Element])
    }

    /// A request with an id, a method, and parameters that the method accepts. It does not retain the line of the request.
    struct Call: Sendable {
        let id: RequestID
        let method: String
        let traits: MethodTraits
        let prepared: PreparedCall
    }

    /// The content of a message, or of one part of a batch.
    enum Element: Sendable {
        case call(Call)
        /// `$/cancelRequest`
        case cancellation(RequestID)
        /// A notification that has no effect.
        case nothing
        /// A message that gets this error without being run.
        case error(RequestID?, RPCError)

        var call: Call? {
            if case .call(let call) = self { call } else { nil }
        }
    }

    /// The approximate memory of a unit in addition to its requests, including its task.
    private static let unitBytes = 4 * 1024
    /// The approximate memory of a request in addition to its parameters, including its task.
    private static let requestBytes = 1024

    let content: Content
    /// The bytes that the unit has taken from the connection's account.
    let held: HeldBytes
    let ids: [RequestID]
    /// Whether all calls are control requests. A batch uses the control lane only then.
    let isControl: Bool
    let isLarge: Bool
    /// The approximate memory of the unit.
    let bytes: Int

    init(_ content: Content, _ held: HeldBytes) {
        self.content = content
        self.held = held
        let calls: [Call]
        let size: Int
        switch content {
        case .single(let call): (calls, size) = ([call], 1)
        case .batch(let elements): (calls, size) = (elements.compactMap(\.call), elements.count)
        }
        ids = calls.map(\.id)
        isControl = calls.allSatisfy { $0.traits.contains(.control) }
        isLarge = calls.contains { $0.traits.contains(.large) }
        bytes = calls.reduce(Self.unitBytes + size * Self.requestBytes) { $0 + $1.prepared.bytes }
    }

    var isBatch: Bool { if case .batch = content { true } else { false } }
}
