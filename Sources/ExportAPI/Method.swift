/// One method of the wire: its name, its parameters and its result. A file each, in `Methods/`.
public protocol Method: Sendable {
    static var name: String { get }
    associatedtype Params: ParamObject
    associatedtype Result: Codable & Sendable
}

/// A JSON object of parameters whose every member is known.
public protocol ParamObject: Codable, Sendable {
    /// The members' names; where one is an object itself, its type.
    static var members: [String: (any ParamObject.Type)?] { get }
}

/// No parameters.
public struct NoParams: ParamObject {
    public static let members: [String: (any ParamObject.Type)?] = [:]

    public init() {}
}
