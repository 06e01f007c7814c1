/// Determines what a peer's message requests. A pure value.
struct MessageParser: Sendable {
    enum Message: Sendable {
        case one(Work.Element)
        case batch([Work.Element])
    }

    let methods: any SessionMethods
    /// The maximum number of requests in a batch.
    let batchLimit: Int

    /// - Parameter isTaken: whether a request with this id has no reply yet.
    func parse(_ message: JSONNode, isTaken: (RequestID) -> Bool) -> Message {
        var ids: Set<RequestID> = []
        guard message.kind == .array else { return .one(element(message, &ids, isInBatch: false, isTaken)) }
        let messages = Array(message.elements.prefix(batchLimit + 1))
        guard !messages.isEmpty, messages.count <= batchLimit else {
            return .one(.error(nil, .invalidRequest("A batch must have 1 to \(batchLimit) requests.")))
        }
        return .batch(messages.map { element($0, &ids, isInBatch: true, isTaken) })
    }

    /// Whether the line contains a request, even one that will be refused.
    func hasRequest(_ document: JSONDocument) -> Bool {
        let message = document.root
        guard message.kind == .array else { return (try? Request.parse(message)) != nil }
        return message.elements.prefix(batchLimit).contains { (try? Request.parse($0)) != nil }
    }

    /// - Parameter ids: the ids of the calls that were already parsed from this message.
    private func element(
        _ message: JSONNode, _ ids: inout Set<RequestID>, isInBatch: Bool, _ isTaken: (RequestID) -> Bool
    ) -> Work.Element {
        let request: Request
        do {
            request = try Request.parse(message)
        } catch {
            return .error(error.id, error.error)
        }
        guard let id = request.id else { return notification(request) }
        guard let traits = methods.traits(of: request.method) else {
            return .error(id, .methodNotFound(request.method))
        }
        guard ids.insert(id).inserted, !isTaken(id) else { return .error(nil, .duplicateID) }
        if isInBatch, traits.contains(.alone) {
            return .error(id, .invalidRequest("\(request.method) is not allowed in a batch. Send it on a line of its own."))
        }
        do throws(RPCError) {
            let prepared = try methods.prepare(request.method, traits, request.params)
            return .call(Work.Call(id: id, method: request.method, traits: traits, prepared: prepared))
        } catch {
            return .error(id, error)
        }
    }

    /// Only `$/cancelRequest` has an effect. Others are ignored, as JSON-RPC 2.0, section 4.1, requires.
    private func notification(_ request: Request) -> Work.Element {
        guard request.method == "$/cancelRequest",
            let member = request.params?.members.first(where: { $0.name.isString("id") }), let id = RequestID(member.value)
        else { return .nothing }
        return .cancellation(id)
    }
}
