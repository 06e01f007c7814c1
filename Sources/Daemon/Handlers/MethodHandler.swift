package import AdminExportAPI
private import Directory
private import Foundation
package import JSONRPC
private import Postgres
internal import Sockets

typealias ServiceDispatcher = Dispatcher<CallerSession, PassedDescriptor>
typealias ServiceOutcome = Outcome<PassedDescriptor>

/// Serves one method: from the wire's parameters to the service and back to the wire's result.
protocol MethodHandler: Sendable {
    associatedtype Called: AdminExportAPI.Method
    /// How the connection treats the method. That it stands alone is taken from ``ExportAPI/Method``.
    static var traits: MethodTraits { get }

    func outcome(
        _ params: Called.Params, _ session: CallerSession, _ subscriptions: Subscriptions
    ) async throws -> ServiceOutcome
}

/// One that has nothing to give but its result.
protocol ResultHandler: MethodHandler {
    func handle(_ params: Called.Params, _ session: CallerSession) async throws -> Called.Result
}

extension ResultHandler {
    func outcome(
        _ params: Called.Params, _ session: CallerSession, _ subscriptions: Subscriptions
    ) async throws -> ServiceOutcome {
        Outcome(try WireCoding.encode(try await handle(params, session)))
    }
}

extension MethodHandler {
    static var traits: MethodTraits { [] }

    /// The method as the dispatcher calls it.
    var method: ServiceDispatcher.Method {
        let traits = Called.isTakenInBatch ? Self.traits : Self.traits.union(.alone)
        return ServiceDispatcher.Method(name: Called.name, traits: traits) { node in
            let params = try WireCoding.params(Called.self, node)
            return ServiceDispatcher.Prepared(decoded: node) { session, subscriptions in
                do {
                    return try await PostgresPool.withFlowKey(session.number) {
                        try await outcome(params, session, subscriptions)
                    }
                } catch {
                    var error = error
                    if let missing = error as? TenantNotGranted { error = session.denial(missing.grant, missing.tenant) }
                    throw DeniedRequest(error, params) ?? error
                }
            }
        }
    }
}

/// Between JSON and the wire's types.
package enum WireCoding {
    /// - Throws: ``RPCError`` −32602 for what the method's schema does not allow.
    package static func params<Called: AdminExportAPI.Method>(
        _ method: Called.Type, _ params: JSONNode?
    ) throws -> Called.Params {
        let canonical = try ParamCheck.canonical(params, Called.Params.schema)
        do {
            return try JSONDecoder().decode(Called.Params.self, from: Data(canonical))
        } catch is DecodingError {
            throw RPCError.invalidParams("", "The parameters are not what \(Called.name) takes.")
        }
    }

    package static func encode(_ object: some WireObject) throws -> [UInt8] {
        if let object = object as? any DirectlyEncoded { return object.json }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return Array(try encoder.encode(object))
    }
}
