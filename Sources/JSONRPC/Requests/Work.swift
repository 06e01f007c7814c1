/// What takes one place among the requests of a connection: a request, or a whole batch.
enum Work<Session: Sendable, Attachment: Sendable>: Sendable {
    case single(Call)
    case batch([Element])

    /// A request that is known to have a method and an id.
    struct Call: Sendable {
        let request: Request
        let id: RequestID
        let method: Dispatcher<Session, Attachment>.Method
    }

    /// What a message holds, or each part of a batch, in its order.
    enum Element: Sendable {
        case call(Call)
        /// `$/cancelRequest`
        case cancellation(RequestID)
        /// A notification that nobody listens to.
        case nothing
        /// Answered without being run.
        case error(RequestID?, RPCError)

        var call: Call? {
            if case .call(let call) = self { call } else { nil }
        }
    }

    private var calls: [Call] {
        switch self {
        case .single(let call): [call]
        case .batch(let elements): elements.compactMap(\.call)
        }
    }

    var ids: [RequestID] { calls.map(\.id) }
    var isBatch: Bool { if case .batch = self { true } else { false } }
    /// A batch passes the queue where everything in it does.
    var isControl: Bool { calls.allSatisfy { $0.method.traits.contains(.control) } }
    var isLarge: Bool { calls.contains { $0.method.traits.contains(.large) } }
}
