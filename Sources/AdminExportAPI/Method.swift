/// One method of the wire: its name, its parameters and its result, and all that is told about them. A file each, in
/// `Methods/`.
public protocol Method: Sendable {
    static var name: String { get }
    associatedtype Params: WireObject
    associatedtype Result: WireObject
    /// What it does, in a sentence.
    static var summary: String { get }
    /// What else a caller has to know.
    static var details: String { get }
    /// Errors beyond those that every method has.
    static var errors: [ErrorKind] { get }
    /// Each can be sent as it is, with the ids of jobs and subscriptions that are there.
    static var examples: [Example<Self>] { get }
    /// Whether it may stand in a batch.
    static var isTakenInBatch: Bool { get }
    /// Descriptors that come with the result.
    static var descriptors: Int { get }
    /// Whether a call whose answer was lost may be made again: it does what it did already, and does it once.
    static func isRepeatable(_ params: Params) -> Bool
}

extension Method {
    public static var details: String { "" }
    public static var errors: [ErrorKind] { [] }
    public static var isTakenInBatch: Bool { true }
    public static var descriptors: Int { 0 }
    public static func isRepeatable(_ params: Params) -> Bool { true }
}

/// A JSON object whose members are known.
public protocol WireObject: Codable, Sendable {
    static var schema: ObjectSchema { get }
}

/// What a method is given, and what it gives back.
public struct Example<Called: Method>: Sendable {
    public let title: String
    public let params: Called.Params
    public let result: Called.Result

    public init(_ title: String, _ params: Called.Params, _ result: Called.Result) {
        self.title = title
        self.params = params
        self.result = result
    }
}

/// No parameters, or nothing to say but that it is done.
public struct NoMembers: WireObject {
    public static let schema = ObjectSchema()

    public init() {}
}
