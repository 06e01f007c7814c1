/// The methods that a connection offers.
package struct Dispatcher<Session: Sendable, Attachment: Sendable>: Sendable {
    /// One method: reads the parameters, nil where none came, and gives what is to be run.
    package struct Method: Sendable {
        /// The name on the wire.
        package let name: String
        /// How requests of the method are run.
        package let traits: MethodTraits
        let prepare: @Sendable (JSONNode?) throws -> Prepared

        /// - Parameter prepare: called when the request comes. What it gives may wait, and keeps nothing of the node.
        package init(
            name: String, traits: MethodTraits = [], prepare: @escaping @Sendable (JSONNode?) throws -> Prepared
        ) {
            self.name = name
            self.traits = traits
            self.prepare = prepare
        }

        /// One that takes the parameters as they came.
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
        /// About what the parameters take.
        let bytes: Int
        let run: @Sendable (Session, Subscriptions) async throws -> Outcome<Attachment>

        /// - Parameters:
        ///   - params: as they came; white space between them is not counted, since nothing is left of it.
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
    /// Puts an error that is no ``RPCError`` into one; also the place to log it.
    private let translate: @Sendable (any Error, Call) -> RPCError
    private let answered: @Sendable (Call, RPCError?, Duration) -> Void

    /// Which method was called, and by whom.
    package struct Call: Sendable {
        /// The name of the method.
        package let method: String
        /// How requests of the method are run.
        package let traits: MethodTraits
        /// The state of the connection.
        package let session: Session
    }

    /// - Parameter answered: told what each call has come to, nil for a result, and how long it took.
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

    /// Reads a request's parameters.
    ///
    /// - Throws: what the peer is told, of which ``init(_:answered:translate:)``'s `answered` knows already.
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

    /// Calls the method; every way out is an outcome or an error for the peer.
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

/// How a connection has to treat a method.
package struct MethodTraits: OptionSet, Sendable {
    /// The set as bits.
    package let rawValue: Int

    /// A set from its bits.
    package init(rawValue: Int) {
        self.rawValue = rawValue
    }

    /// Served though the connection has its share of requests in flight.
    package static let control = MethodTraits(rawValue: 1)
    /// May take as long as its caller wants to wait; ended at once when the connection stops.
    package static let long = MethodTraits(rawValue: 2)
    /// Its reply may be large: a connection serves one at a time, from when there is room for it until the peer has taken it.
    package static let large = MethodTraits(rawValue: 4)
    /// Not taken in a batch.
    package static let alone = MethodTraits(rawValue: 8)
}

/// What a method gives back.
package struct Outcome<Attachment: Sendable>: Sendable {
    /// The result, a JSON object.
    package let json: [UInt8]
    /// What is sent with the reply.
    package let attachments: [Attachment]
    /// Done when the reply is on its way, or nobody is there any more to take it: then it is not sent.
    package let afterwards: (@Sendable (_ isSent: Bool) -> Void)?

    /// A result.
    package init(_ json: [UInt8], attachments: [Attachment] = [], afterwards: (@Sendable (_ isSent: Bool) -> Void)? = nil) {
        self.json = json
        self.attachments = attachments
        self.afterwards = afterwards
    }
}
