package import AdminExportAPI
internal import Directory
internal import Exports
private import Foundation
package import JSONRPC
private import Postgres
internal import Sockets

typealias ServiceDispatcher = Dispatcher<CallerSession>

extension ServiceDispatcher.Method {
    /// A method whose reply contains only its result.
    ///
    /// - Parameter traits: how the connection treats the method. `.alone` comes from ``MethodDescription/isTakenInBatch``.
    static func result<Called: AdminExportAPI.Method>(
        _ called: Called.Type, _ traits: MethodTraits = [],
        _ handle: @escaping @Sendable (Called.Params, CallerSession) async throws -> Called.Result
    ) -> Self {
        outcome(called, traits) { params, session, _ in Outcome(try WireCoding.encode(try await handle(params, session))) }
    }

    /// A method whose reply has more than a result: a descriptor, a subscription, or an action after the reply was sent.
    static func outcome<Called: AdminExportAPI.Method>(
        _ called: Called.Type, _ traits: MethodTraits = [],
        _ handle: @escaping @Sendable (Called.Params, CallerSession, Subscriptions) async throws -> Outcome
    ) -> Self {
        Self(name: Called.name, traits: Called.description.isTakenInBatch ? traits : traits.union(.alone)) { node, session in
            let params = try WireCoding.params(Called.self, node)
            return PreparedCall(decoded: node) { subscriptions in
                do {
                    return try await PostgresPool.withFlowKey(session.number) {
                        try await handle(params, session, subscriptions)
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

/// Conversion between JSON and the wire types.
package enum WireCoding {
    /// Decodes the parameters of a method.
    ///
    /// - Throws: ``RPCError`` −32602 for parameters that the method's schema does not allow.
    package static func params<Called: AdminExportAPI.Method>(
        _ method: Called.Type, _ params: JSONNode?
    ) throws -> Called.Params {
        let members = try ParamCheck.members(of: params, Called.Params.schema)
        do {
            return try Called.Params(from: ValueDecoder(value: .object(members)))
        } catch is DecodingError {
            throw RPCError.invalidParams(
                "", "The parameters do not match the schema of \(Called.name). rpc.discover shows it.")
        }
    }

    /// Encodes a result as JSON.
    package static func encode(_ object: some WireObject) throws -> [UInt8] {
        if let object = object as? any DirectlyEncoded { return object.json }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return Array(try encoder.encode(object))
    }
}

/// A request that was denied, and the tenant, administrator and job that it named: the audit trail records it, and the caller
/// gets the error.
struct DeniedRequest: Error {
    let error: any Error
    /// The value of `data.reason`.
    let reason: String
    /// What the request named.
    let subject: @Sendable () -> DeniedSubject

    /// nil for an error that is not a denial.
    init?(_ error: any Error, _ params: some WireObject) {
        switch error {
        case let denial as RPCError:
            guard let reason = denial.deniedReason else { return nil }
            self.reason = reason
        case DirectoryError.denied(let denial): reason = denial.rawValue
        default: return nil
        }
        self.error = error
        subject = { DeniedSubject(params) }
    }
}

extension RPCError {
    /// The `data.reason` for a caller that lacks a grant.
    static let callerNotAllowed = "caller-not-allowed"

    fileprivate var deniedReason: String? {
        for case ("reason", .text(let reason)) in details
        where kind == ErrorKind.permissionDenied.rawValue || reason == Self.callerNotAllowed {
            return reason
        }
        return nil
    }
}

extension DeniedSubject {
    /// Parameters of all methods use the same names for the actor, the tenant and the job.
    fileprivate init(_ params: some WireObject) {
        let members = Mirror(reflecting: params).children
        func member<Value>(_ name: String) -> Value? { members.first { $0.label == name }?.value as? Value }
        let actor: ActorName? = member("actor")
        self.init(
            tenant: actor?.tenant ?? member("tenant"), administrator: actor?.administrator,
            job: member("job").flatMap { JobID($0) })
    }
}
