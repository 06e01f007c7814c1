/// One unit of ``InFlight``: a request or a whole batch.
struct Work<Session: Sendable, Attachment: Sendable>: Sendable {
    enum Content: Sendable {
        case single(Call)
        case batch([Element])
    }

    /// A request with an id, a method, and parameters that the method accepts. It does not retain the line of the request.
    struct Call: Sendable {
        let id: RequestID
        let method: Dispatcher<Session, Attachment>.Method
        let prepared: Dispatcher<Session, Attachment>.Prepared
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
    private static var unitBytes: Int { 4 * 1024 }
    /// The approximate memory of a request in addition to its parameters, including its task.
    private static var requestBytes: Int { 1024 }

    let content: Content
    /// The bytes that the unit has taken from the connection's account.
    let held: HeldBytes

    private var calls: [Call] {
        switch content {
        case .single(let call): [call]
        case .batch(let elements): elements.compactMap(\.call)
        }
    }

    var ids: [RequestID] { calls.map(\.id) }
    var isBatch: Bool { if case .batch = content { true } else { false } }
    /// Whether all calls are control requests. A batch uses the control lane only then.
    var isControl: Bool { calls.allSatisfy { $0.method.traits.contains(.control) } }
    var isLarge: Bool { calls.contains { $0.method.traits.contains(.large) } }

    /// The approximate memory of the unit.
    var bytes: Int {
        switch content {
        case .single(let call): Self.unitBytes + Self.requestBytes + call.prepared.bytes
        case .batch(let elements):
            elements.reduce(Self.unitBytes) { $0 + Self.requestBytes + ($1.call?.prepared.bytes ?? 0) }
        }
    }
}
