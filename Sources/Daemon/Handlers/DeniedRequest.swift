internal import AdminExportAPI
internal import Directory
internal import Exports
private import Foundation
internal import JSONRPC

/// A request whose caller or actor may not, with what it asked for: on its way to the audit trail and to the caller.
struct DeniedRequest: Error {
    let error: any Error
    /// As `data.reason` says it.
    let reason: String
    /// What was asked for.
    let subject: @Sendable () -> DeniedSubject

    /// nil for an error that is no denial.
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
    /// What a caller is told who lacks a grant.
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
    /// The members that parameters of every method name alike.
    private struct Named: Decodable {
        let actor: ActorName?
        let tenant: String?
        let job: String?
    }

    fileprivate init(_ params: some WireObject) {
        let named = try? JSONDecoder().decode(Named.self, from: JSONEncoder().encode(params))
        self.init(
            tenant: named?.actor?.tenant ?? named?.tenant, administrator: named?.actor?.administrator,
            job: (named?.job).flatMap { JobID($0) })
    }
}
