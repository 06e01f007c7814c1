internal import ExportAPI
private import Foundation
internal import JSONRPC

/// Serves one method: from the wire's parameters to the service and back to the wire's result.
protocol MethodHandler: Sendable {
    associatedtype Called: ExportAPI.Method
    /// See ``Dispatcher/Method``.
    static var isControl: Bool { get }
    static var isLong: Bool { get }
    static var isLarge: Bool { get }

    func handle(_ params: Called.Params, _ session: Session) async throws -> Called.Result
}

extension MethodHandler {
    static var isControl: Bool { false }
    static var isLong: Bool { false }
    static var isLarge: Bool { false }

    /// The method as the dispatcher calls it.
    var method: Dispatcher<Session>.Method {
        Dispatcher.Method(name: Called.name, isControl: Self.isControl, isLong: Self.isLong, isLarge: Self.isLarge) {
            bytes, session in
            try ParamCheck.check(bytes, members: Called.Params.members, path: "")
            let params: Called.Params
            do {
                params = try JSONDecoder().decode(Called.Params.self, from: Data(bytes))
            } catch let error as DecodingError {
                throw ParamCheck.fault(error)
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = .withoutEscapingSlashes
            return Array(try encoder.encode(try await handle(params, session)))
        }
    }
}

/// Names what is wrong with parameters before anything is done.
private enum ParamCheck {
    /// - Throws: ``RPCError`` −32602 for a member that is not known, at any depth.
    static func check(
        _ bytes: ArraySlice<UInt8>, members known: [String: (any ParamObject.Type)?], path: String
    ) throws(RPCError) {
        let shape: JSONScanner.Shape
        do {
            shape = try JSONScanner.scan(bytes)
        } catch {
            throw .parse(error)
        }
        guard case .object(let members) = shape else { return }
        for member in members {
            let name = path + member.name
            guard let type = known[member.name] else {
                throw .invalidParams(String(name.prefix(128)), "There is no parameter \(name.prefix(64)).")
            }
            if let type { try check(bytes[member.value], members: type.members, path: "\(name).") }
        }
    }

    static func fault(_ error: DecodingError) -> RPCError {
        func path(_ keys: [any CodingKey]) -> String {
            keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context):
            let name = path(context.codingPath + [key])
            return .invalidParams(name, "The parameter \(name) is missing.")
        case .valueNotFound(_, let context):
            let name = path(context.codingPath)
            return .invalidParams(name, "The parameter \(name) may not be null.")
        case .typeMismatch(let type, let context):
            let name = path(context.codingPath)
            return .invalidParams(name, "The parameter \(name) is not of the type \(describe(type)).")
        case .dataCorrupted(let context):
            let name = path(context.codingPath)
            return .invalidParams(name, "The parameter \(name) has a value that is not taken.")
        @unknown default:
            return .invalidParams("", "The parameters are not what the method takes.")
        }
    }

    private static func describe(_ type: any Any.Type) -> String {
        switch type {
        case is String.Type: "string"
        case is Int.Type: "integer"
        case is Bool.Type: "boolean"
        case is [String: Any].Type: "object"
        default: "\(type)".contains("Dictionary") ? "object" : "\(type)".contains("Array") ? "array" : "\(type)".lowercased()
        }
    }
}
