private import Archive
private import Directory
internal import ExportAPI
private import Exports
private import Jobs
internal import JSONRPC
internal import Logging
private import Postgres

/// Errors of the service as callers are told of them: no path, no secret, nobody else's data.
struct ErrorTranslation: Sendable {
    let logger: Logger

    func callAsFunction(_ error: any Error, in method: String) -> RPCError {
        switch error {
        case let error as DirectoryError:
            return directory(error, method)
        case let error as JobsError:
            return Self.jobs(error)
        case let error as PostgresError where error.isTransient || error.code == .refused:
            logger.warning("The database is not available", metadata: ["method": "\(method)", "error": "\(error)"])
            return RPCError(
                ErrorCode.unavailable, ErrorKind.unavailable, "The database is not available now. Try again in a moment.",
                retryable: true)
        case let error as ArchiveError:
            logger.error("An archive cannot be read", metadata: ["method": "\(method)", "error": "\(error)"])
            return RPCError(
                ErrorCode.unavailable, ErrorKind.unavailable, "The file cannot be read now. Ask the operators.",
                retryable: error.code != .damaged, details: [("reason", .text("storage"))])
        default:
            logger.error("A request failed", metadata: ["method": "\(method)", "error": "\(error)"])
            return .internalError
        }
    }

    private func directory(_ error: DirectoryError, _ method: String) -> RPCError {
        guard case .denied(let denial) = error else {
            logger.error("The directory cannot be used", metadata: ["method": "\(method)", "error": "\(error)"])
            return .internalError
        }
        return RPCError(
            ErrorCode.permissionDenied, ErrorKind.permissionDenied, denial.sentence,
            details: [("reason", .text(denial.rawValue))])
    }

    private static func jobs(_ error: JobsError) -> RPCError {
        switch error {
        case .notFound:
            RPCError(ErrorCode.notFound, ErrorKind.notFound, "There is no such export.")
        case .conflict:
            RPCError(
                ErrorCode.conflict, ErrorKind.conflict, "The idempotency key was used for an export with other options.")
        case .quotaExceeded(let limit):
            RPCError(
                ErrorCode.quotaExceeded, ErrorKind.quotaExceeded,
                "The tenant has \(limit) exports in the queue, and may have no more. Try again when one is done.",
                retryable: true, details: [("limit", .number(limit)), ("retryAfterMs", .number(5_000))])
        case .notReady(.expired):
            RPCError(ErrorCode.expired, ErrorKind.expired, "The file is not kept any more. Start a new export.")
        case .notReady(let state):
            RPCError(
                ErrorCode.notReady, ErrorKind.notReady, "The export is \(state.rawValue).", retryable: !state.isFinal,
                details: [("state", .text(state.rawValue))])
        case .held:
            RPCError(
                ErrorCode.conflict, ErrorKind.conflict, "The file is under legal hold and cannot be deleted.",
                details: [("reason", .text("held"))])
        }
    }
}
