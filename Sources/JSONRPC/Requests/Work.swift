/// What takes one place among the requests of a connection: a request, or a whole batch.
struct Work<Session: Sendable, Attachment: Sendable>: Sendable {
    /// A request that is known to have a method and an id.
    struct Call: Sendable {
        let request: Request
        let id: RequestID
        let method: Dispatcher<Session, Attachment>.Method
    }

    /// What a batch holds, in its order.
    enum Element: Sendable {
        case call(Call)
        case notification(Request)
        /// Answered without being run.
        case error(RequestID?, RPCError)

        var call: Call? {
            if case .call(let call) = self { call } else { nil }
        }
    }

    enum Content: Sendable {
        case single(Call)
        case batch([Element])
    }

    /// Its number on the connection.
    let unit: Int
    let content: Content

    private var calls: [Call] {
        switch content {
        case .single(let call): [call]
        case .batch(let elements): elements.compactMap(\.call)
        }
    }

    /// A batch passes the queue where everything in it does.
    var isControl: Bool { calls.allSatisfy { $0.method.traits.contains(.control) } }
    var isLarge: Bool { calls.contains { $0.method.traits.contains(.large) } }
}
