/// The methods that a service offers, and the hooks that translate errors and log each call.
package struct Dispatcher<Session: Sendable>: Sendable {
    /// A method. Its `prepare` reads the parameters, nil if there are none, and returns the call to run.
    package struct Method: Sendable {
        /// The name on the wire.
        package let name: String
        /// How the connection runs requests of the method.
        package let traits: MethodTraits
        let prepare: @Sendable (JSONNode?, Session) throws -> PreparedCall

        /// - Parameter prepare: called when the request arrives. Its result may wait, so it must not retain the node.
        package init(
            name: String, traits: MethodTraits = [],
            prepare: @escaping @Sendable (JSONNode?, Session) throws -> PreparedCall
        ) {
            self.name = name
            self.traits = traits
            self.prepare = prepare
        }

        /// A method that receives the parameters as they were sent.
        package init(
            name: String, traits: MethodTraits = [],
            handle: @escaping @Sendable (JSONNode?, Session, Subscriptions) async throws -> Outcome
        ) {
            self.init(name: name, traits: traits) { params, session in
                PreparedCall(bytes: params?.bytes.count ?? 0) { try await handle(params, session, $0) }
            }
        }
    }

    /// The method that was called, and the caller.
    package struct Call: Sendable {
        /// The name of the method.
        package let method: String
        /// How the connection runs requests of the method.
        package let traits: MethodTraits
        /// The state of the connection.
        package let session: Session
    }

    private let methods: [String: Method]
    /// Translates an error that is not an ``RPCError`` into one, and may log it.
    private let translate: @Sendable (any Error, Call) -> RPCError
    private let answered: @Sendable (Call, RPCError?, Duration) -> Void

    /// - Parameters:
    ///   - answered: called for each call with its error, nil if it succeeded, and its duration.
    ///   - translate: translates an error that is not an ``RPCError``.
    package init(
        _ methods: [Method], answered: @escaping @Sendable (Call, RPCError?, Duration) -> Void = { _, _, _ in },
        translate: @escaping @Sendable (any Error, Call) -> RPCError
    ) {
        self.methods = Dictionary(methods.map { ($0.name, $0) }) { first, _ in first }
        self.answered = answered
        self.translate = translate
    }

    /// The names of all methods, sorted.
    package var names: [String] { methods.keys.sorted() }

    /// The methods as the peer of one connection calls them.
    func methods(for session: Session) -> any SessionMethods {
        Bound(dispatcher: self, session: session)
    }

    private struct Bound: SessionMethods {
        let dispatcher: Dispatcher
        let session: Session

        func traits(of method: String) -> MethodTraits? { dispatcher.methods[method]?.traits }

        func read(_ params: JSONNode?, for method: String) throws -> PreparedCall {
            guard let method = dispatcher.methods[method] else { throw RPCError.methodNotFound(method) }
            return try method.prepare(params, session)
        }

        func translate(_ error: any Error, from method: String, _ traits: MethodTraits) -> RPCError {
            dispatcher.translate(error, Call(method: method, traits: traits, session: session))
        }

        func answered(_ method: String, _ traits: MethodTraits, _ error: RPCError?, after duration: Duration) {
            dispatcher.answered(Call(method: method, traits: traits, session: session), error, duration)
        }
    }
}

/// A call with its parameters decoded.
package struct PreparedCall: Sendable {
    /// The memory of the parameters in bytes, about.
    let bytes: Int
    let run: @Sendable (Subscriptions) async throws -> Outcome

    /// A call that retains only decoded parameters.
    ///
    /// - Parameter params: the parameters as sent. White space between them is not counted, because it is not retained.
    package init(decoded params: JSONNode?, run: @escaping @Sendable (Subscriptions) async throws -> Outcome) {
        self.init(bytes: params.map { JSONText.compactLength($0.bytes) } ?? 0, run: run)
    }

    fileprivate init(bytes: Int, run: @escaping @Sendable (Subscriptions) async throws -> Outcome) {
        self.bytes = bytes
        self.run = run
    }
}

/// The methods of a ``Dispatcher`` for the session of one connection.
///
/// A protocol, so that ``Connection`` is not generic over the session: the compiler does not specialize generic code of another
/// module, so the program would look up types at run time for each request.
protocol SessionMethods: Sendable {
    /// How the connection runs requests of the method; nil if there is no such method.
    func traits(of method: String) -> MethodTraits?
    /// Reads the parameters of a request.
    func read(_ params: JSONNode?, for method: String) throws -> PreparedCall
    func translate(_ error: any Error, from method: String, _ traits: MethodTraits) -> RPCError
    func answered(_ method: String, _ traits: MethodTraits, _ error: RPCError?, after duration: Duration)
}

extension SessionMethods {
    /// Reads the parameters of a request.
    ///
    /// - Throws: the error for the peer, which was already reported to `answered` of ``Dispatcher/init(_:answered:translate:)``.
    func prepare(_ method: String, _ traits: MethodTraits, _ params: JSONNode?) throws(RPCError) -> PreparedCall {
        let start = ContinuousClock.now
        do {
            return try read(params, for: method)
        } catch {
            let error = error as? RPCError ?? translate(error, from: method, traits)
            answered(method, traits, error, after: start.duration(to: .now))
            throw error
        }
    }

    /// Calls the method. Every error becomes an error for the peer.
    func run(
        _ call: PreparedCall, of method: String, _ traits: MethodTraits, _ subscriptions: Subscriptions
    ) async -> Result<Outcome, RPCError> {
        let start = ContinuousClock.now
        do {
            let outcome = try await call.run(subscriptions)
            answered(method, traits, nil, after: start.duration(to: .now))
            return .success(outcome)
        } catch {
            let error =
                error as? RPCError ?? (error is CancellationError ? .cancelled : translate(error, from: method, traits))
            answered(method, traits, error, after: start.duration(to: .now))
            return .failure(error)
        }
    }
}

/// How a connection treats requests of a method.
package struct MethodTraits: OptionSet, Sendable {
    /// The bits of the set.
    package let rawValue: Int

    /// Creates a set from its bits.
    package init(rawValue: Int) {
        self.rawValue = rawValue
    }

    /// The method is also served while the connection has reached its limit of other requests.
    package static let control = MethodTraits(rawValue: 1)
    /// The method may take as long as its caller wants to wait. A stop of the connection cancels it at once.
    package static let long = MethodTraits(rawValue: 2)
    /// The reply may be large. A connection runs one such request at a time, when there is room for the reply, and starts the
    /// next one when the system has taken the reply.
    package static let large = MethodTraits(rawValue: 4)
    /// The method is not allowed in a batch.
    package static let alone = MethodTraits(rawValue: 8)
}

/// What a method returns.
package struct Outcome: Sendable {
    /// The result, a JSON object.
    package let json: [UInt8]
    /// What is sent with the first byte of the reply.
    package let attachments: [any Attachment]
    /// Called once the system has taken the reply, or the connection has failed and the reply is not sent.
    package let afterwards: (@Sendable (_ isSent: Bool) -> Void)?

    /// Creates a result.
    package init(
        _ json: [UInt8], attachments: [any Attachment] = [], afterwards: (@Sendable (_ isSent: Bool) -> Void)? = nil
    ) {
        self.json = json
        self.attachments = attachments
        self.afterwards = afterwards
    }
}
