/// The methods that a connection offers.
package struct Dispatcher<Session: Sendable>: Sendable {
    /// One method: takes the parameters' JSON object, gives the result's.
    package struct Method: Sendable {
        package let name: String
        /// Served though the connection has its share of requests in flight.
        package let isControl: Bool
        /// May take as long as its caller wants to wait; ended at once when the service stops. Not taken in a batch.
        package let isLong: Bool
        /// Its reply may be large: a connection serves one at a time, from its start until the peer has taken the reply.
        package let isLarge: Bool
        package let handle: @Sendable (ArraySlice<UInt8>, Session) async throws -> [UInt8]

        package init(
            name: String, isControl: Bool = false, isLong: Bool = false, isLarge: Bool = false,
            handle: @escaping @Sendable (ArraySlice<UInt8>, Session) async throws -> [UInt8]
        ) {
            self.name = name
            self.isControl = isControl
            self.isLong = isLong
            self.isLarge = isLarge
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

    func method(_ name: String) -> Method? {
        methods[name]
    }

    /// Calls the method; every way out is a reply.
    func reply(to request: Request, _ method: Method, id: RequestID, session: Session) async -> [UInt8] {
        do {
            return Reply.result(id, try await method.handle(request.params, session))
        } catch let error as RPCError {
            return Reply.error(id, error)
        } catch is CancellationError {
            return Reply.error(id, .cancelled)
        } catch {
            return Reply.error(id, translate(error, request.method))
        }
    }
}
