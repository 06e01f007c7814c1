/// The methods that a connection offers.
package struct Dispatcher<Session: Sendable, Attachment: Sendable>: Sendable {
    /// A method. Its `prepare` reads the parameters, nil if there are none, and returns the call to run.
    package struct Method: Sendable {
        /// The name on the wire.
        package let name: String
        /// How the connection runs requests of the method.
        package let traits: MethodTraits
        let prepare: @Sendable (JSONNode?) throws -> Prepared

        /// - Parameter prepare: called when the request arrives. Its result may wait, so it must not retain the node.
        package init(
            name: String, traits: MethodTraits = [], prepare: @escaping @Sendable (JSONNode?) throws -> Prepared
        ) {
            self.name = name
            self.traits = traits
            self.prepare = prepare
        }

        /// A method that receives the parameters as they were sent.
        package init(
            name: String, traits: MethodTraits = [],
            handle: @escaping @Sendable (JSONNode?, Session, Subscriptions) async throws -> Outcome<Attachment>
        ) {
            self.init(name: name, traits: traits) { params in
                Prepared(bytes: params?.bytes.count ?? 0) { try await handle(params, $0, $1) }
            }
        }
    }

    /// A call with its parameters decoded.
    package struct Prepared: Sendable {
        /// The memory of the parameters in bytes, about.
        let bytes: Int
        let run: @Sendable (Session, Subscriptions) async throws -> Outcome<Attachment>

        /// A call that retains only decoded parameters.
        ///
        /// - Parameter params: the parameters as sent. White space between them is not counted, because it is not retained.
        package init(
            decoded params: JSONNode?,
            run: @escaping @Sendable (Session, Subscriptions) async throws -> Outcome<Attachment>
        ) {
            self.init(bytes: params.map { JSONText.compactLength($0.bytes) } ?? 0, run: run)
        }

        init(bytes: Int, run: @escaping @Sendable (Session, Subscriptions) async throws -> Outcome<Attachment>) {
            self.bytes = bytes
            self.run = run
        }
    }

    private let methods: [String: Method]
    /// Translates an error that is not an ``RPCError`` into one, and may log it.
    private let translate: @Sendable (any Error, Call) -> RPCError
    private let answered: @Sendable (Call, RPCError?, Duration) -> Void

    /// The method that was called, and the caller.
    package struct Call: Sendable {
        /// The name of the method.
        package let method: String
        /// How the connection runs requests of the method.
        package let traits: MethodTraits
        /// The state of the connection.
        package let session: Session
    }

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

    func method(_ name: String) -> Method? {
        methods[name]
    }

    /// Reads the parameters of a request.
    ///
    /// - Throws: the error for the peer, which was already reported to `answered` of ``init(_:answered:translate:)``.
    func prepare(_ method: Method, _ request: Request, session: Session) throws(RPCError) -> Prepared {
        let start = ContinuousClock.now
        let call = Call(method: method.name, traits: method.traits, session: session)
        do throws(RPCError) {
            do {
                return try method.prepare(request.params)
            } catch let error as RPCError {
                throw error
            } catch {
                throw translate(error, call)
            }
        } catch {
            answered(call, error, start.duration(to: .now))
            throw error
        }
    }

    /// Calls the method. Every error becomes an error for the peer.
    func call(
        _ method: Method, _ prepared: Prepared, session: Session, subscriptions: Subscriptions
    ) async -> Result<Outcome<Attachment>, RPCError> {
        let start = ContinuousClock.now
        let call = Call(method: method.name, traits: method.traits, session: session)
        do throws(RPCError) {
            let outcome = try await outcome(of: call, prepared, subscriptions)
            answered(call, nil, start.duration(to: .now))
            return .success(outcome)
        } catch {
            answered(call, error, start.duration(to: .now))
            return .failure(error)
        }
    }

    private func outcome(
        of call: Call, _ prepared: Prepared, _ subscriptions: Subscriptions
    ) async throws(RPCError) -> Outcome<Attachment> {
        do {
            return try await prepared.run(call.session, subscriptions)
        } catch let error as RPCError {
            throw error
        } catch is CancellationError {
            throw .cancelled
        } catch {
            throw translate(error, call)
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
package struct Outcome<Attachment: Sendable>: Sendable {
    /// The result, a JSON object.
    package let json: [UInt8]
    /// What is sent with the first byte of the reply.
    package let attachments: [Attachment]
    /// Called once the system has taken the reply, or the connection has failed and the reply is not sent.
    package let afterwards: (@Sendable (_ isSent: Bool) -> Void)?

    /// Creates a result.
    package init(_ json: [UInt8], attachments: [Attachment] = [], afterwards: (@Sendable (_ isSent: Bool) -> Void)? = nil) {
        self.json = json
        self.attachments = attachments
        self.afterwards = afterwards
    }
}
