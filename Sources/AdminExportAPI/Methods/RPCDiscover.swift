/// Describes the protocol, in its own terms.
public enum RPCDiscover: Method {
    public static let name = "rpc.discover"
    public typealias Params = NoMembers

    /// An OpenRPC document.
    public struct Result: WireObject {
        public let document: JSONValue

        public init(_ document: JSONValue) {
            self.document = document
        }

        public init(from decoder: any Decoder) throws {
            document = try JSONValue(from: decoder)
        }

        public func encode(to encoder: any Encoder) throws {
            try document.encode(to: encoder)
        }

        public static let schema = ObjectSchema(
            .init("openrpc", .text, "The version of OpenRPC."),
            .init("info", .object(ObjectSchema()), "Name and version of the service."),
            .init("methods", .array(of: .object(ObjectSchema()), upTo: 1_000), "The methods."),
            .init("components", .object(ObjectSchema()), "Schemas and errors that are referred to."),
            .init("x-notifications", .array(of: .object(ObjectSchema()), upTo: 1_000), "The notifications."))
    }

    public static let summary = "Describes the methods, their parameters, results, examples and errors (OpenRPC)."
    /// The document has no room for itself.
    public static let examples: [Example<Self>] = []
}
