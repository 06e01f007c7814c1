/// The methods that a connection offers.
package struct Dispatcher<Session: Sendable, Attachment: Sendable>: Sendable {
    /// One method: takes the parameters' JSON object, gives the result's.
    package struct Method: Sendable {
        package typealias Handle = @Sendable (ArraySlice<UInt8>, Session, Subscriptions) async throws -> Outcome<Attachment>

        package let name: String
        package let traits: MethodTraits
        package let handle: Handle

        package init(name: String, traits: MethodTraits = [], handle: @escaping Handle) {
            self.name = name
            self.traits = traits
            self.handle = handle
        }
    }

    private let methods: [String: Method]
    /// Puts an error that is no ``RPCError`` into one; also the place to log it.
    private let translate: @Sendable (any Error, String) -> RPCError

    package init(_ methods: [Method], translate: @escaping @Sendable (any Error, String) -> RPCError) {
        self.methods = Dictionary(methods.map { ($0.name, $0) }) { first, _ in first }
        self.translate = translate
    }

    package var names: [String] { methods.keys.sorted() }

    func method(_ name: String) -> Method? {
        methods[name]
    }

    /// Calls the method; every way out is an outcome or an error for the peer.
    func call(
        _ method: Method, _ request: Request, session: Session, subscriptions: Subscriptions
    ) async -> Result<Outcome<Attachment>, RPCError> {
        guard request.isByName else { return .failure(.positionalParams) }
        do {
            return .success(try await method.handle(request.params, session, subscriptions))
        } catch let error as RPCError {
            return .failure(error)
        } catch is CancellationError {
            return .failure(.cancelled)
        } catch {
            return .failure(translate(error, request.method))
        }
    }
}

/// How a connection has to treat a method.
package struct MethodTraits: OptionSet, Sendable {
    package let rawValue: Int

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
    package let attachments: [Attachment]
    /// Done when the reply is on its way, or nobody is there any more to take it.
    package let afterwards: (@Sendable () -> Void)?

    package init(_ json: [UInt8], attachments: [Attachment] = [], afterwards: (@Sendable () -> Void)? = nil) {
        self.json = json
        self.attachments = attachments
        self.afterwards = afterwards
    }
}
