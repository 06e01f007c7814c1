/// What takes one place among the requests of a connection: a request, or a whole batch.
struct Work<Session: Sendable, Attachment: Sendable>: Sendable {
    enum Content: Sendable {
        case single(Call)
        case batch([Element])
    }

    /// A request with an id and a method, and parameters that the method takes. Nothing in it refers to the line that it came in.
    struct Call: Sendable {
        let id: RequestID
        let method: Dispatcher<Session, Attachment>.Method
        let prepared: Dispatcher<Session, Attachment>.Prepared
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

    /// About what a unit takes beside its requests, its task included.
    private static var unitBytes: Int { 4 * 1024 }
    /// About what a request takes beside its parameters, its task included.
    private static var requestBytes: Int { 1024 }

    let content: Content
    /// What it has of the connection's account.
    let held: HeldBytes

    private var calls: [Call] {
        switch content {
        case .single(let call): [call]
        case .batch(let elements): elements.compactMap(\.call)
        }
    }

    var ids: [RequestID] { calls.map(\.id) }
    var isBatch: Bool { if case .batch = content { true } else { false } }
    /// A batch passes the queue where everything in it does.
    var isControl: Bool { calls.allSatisfy { $0.method.traits.contains(.control) } }
    var isLarge: Bool { calls.contains { $0.method.traits.contains(.large) } }

    var bytes: Int {
        switch content {
        case .single(let call): Self.unitBytes + Self.requestBytes + call.prepared.bytes
        case .batch(let elements):
            elements.reduce(Self.unitBytes) { $0 + Self.requestBytes + ($1.call?.prepared.bytes ?? 0) }
        }
    }
}
