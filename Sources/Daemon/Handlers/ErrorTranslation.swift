internal import AdminExportAPI
private import Archive
private import Directory
private import Exports
internal import JSONRPC
internal import Logging
private import Postgres
private import SystemPackage

/// Translates errors of the service into errors for callers, without paths, secrets or data of others.
struct ErrorTranslation: Sendable {
    let logger: Logger
    /// Requests a check of the databases, after a statement was refused.
    let requestInspection: @Sendable () -> Void

    func callAsFunction(_ error: any Error, in method: String, uid: UInt32) -> RPCError {
        let logger = logger.with([.method: method, .uid: uid])
        switch error {
        case let error as RPCError:
            return error
        case let error as DirectoryUnavailable:
            logger.report(DaemonEvent.requestWithoutDirectory, [.error: error])
            return RPCError(
                .unavailable, "The directory of administrators cannot be reached now. Try again in a moment.",
                retryable: true,
                details: [("reason", .text("directory"))])
        case let error as DirectoryError:
            return directory(error, logger)
        case let error as QueueError:
            return Self.jobs(error)
        case let error as PostgresError where error.isTransient || [.refused, .unsuitable].contains(error.code):
            logger.report(DaemonEvent.requestWithoutDatabase, [.error: error])
            return RPCError(
                .unavailable, "The database cannot be reached now. Try again in a moment.",
                retryable: true)
        case let error as UnstorableText:
            return .invalidParams(
                error.parameter,
                "The parameter \(error.parameter) has a character that the database's encoding lacks. Remove the character.")
        case let error as PostgresError where error.isUnstorableText:
            return RPCError(
                -32602, "invalid-params",
                "A parameter has a character that the database's encoding lacks. Remove the character.")
        case let error as PostgresError
        where error.isRefusal || error.isEvaluationFault || error.code == .unexpectedResult:
            return refusal(error, logger)
        case is TrailReader.Replaced:
            return RPCError(
                .internalError,
                "The audit trail is not the table that adminexportd migrate has made: somebody has replaced it, or added a rule or a policy. Restore the table, or remove the rule or the policy."
            )
        case let error as NoReceipt:
            return Self.receipts(error)
        case let error as OffsetBeyondEnd:
            return .invalidParams(
                "offset", "The parameter offset is beyond the end of the workbook, which has \(error.size) bytes.")
        case is TooManyTransfers:
            return RPCError(
                .overloaded, "Too many workbooks are being downloaded now. Try again in a moment, or use export.read.",
                retryable: true)
        case is TooManyFileOperations:
            return RPCError(
                .overloaded, "Too many files are being read now. Try again in a moment.", retryable: true)
        case let error as UnreadableArchive:
            return archive(error, logger)
        default:
            logger.report(DaemonEvent.requestFailed, [.error: error])
            return .internalError
        }
    }

    private func archive(_ error: UnreadableArchive, _ logger: Logger) -> RPCError {
        if error.fault.isOutOfDescriptors {
            logger.report(DaemonEvent.noDescriptorLeft)
            return RPCError(
                .overloaded, "The service has no file descriptor left to open the workbook. Try again in a moment.",
                retryable: true)
        }
        logger.report(ExportEvent.archiveUnreadable, [.job: error.job, .error: error.fault])
        let isLost = [.missing, .damaged].contains(error.fault.code)
        return RPCError(
            .unavailable,
            isLost
                ? "The workbook is lost or damaged. Start a new export, and tell the operators."
                : "The workbook cannot be read now. If the error persists, ask the operators to check the archives.",
            retryable: !isLost && [.passing, .full].contains(error.fault.fault), details: [("reason", .text("storage"))])
    }

    /// A statement that the database refuses, or whose rows are not as the program expects.
    private func refusal(_ error: PostgresError, _ logger: Logger) -> RPCError {
        guard let query = error.query, ServiceStatements.names.contains(query) else {
            logger.report(DaemonEvent.requestFailed, [.error: error])
            guard error.sqlState == SQLState.insufficientPrivilege else { return .internalError }
            requestInspection()
            return RPCError(
                .unavailable,
                "The service lacks a privilege in its database. Try again in a moment; if the error persists, ask the operators to run adminexport doctor.",
                retryable: true)
        }
        return unavailableDirectory(error, logger)
    }

    /// The fault is for the operators of the directory: the log, `service.health` and `check-config` show it.
    private func unavailableDirectory(_ error: any Error, _ logger: Logger) -> RPCError {
        logger.report(DaemonEvent.directoryRefused, [.error: error])
        requestInspection()
        return RPCError(
            .unavailable,
            "The service cannot read the directory of administrators now. Try again in a moment; if the error persists, ask the operators to run adminexport doctor.",
            retryable: true, details: [("reason", .text("directory"))])
    }

    private func directory(_ error: DirectoryError, _ logger: Logger) -> RPCError {
        guard case .denied(let denial) = error else { return unavailableDirectory(error, logger) }
        return RPCError(
            .permissionDenied, denial.sentence,
            details: [("reason", .text(denial.rawValue))])
    }

    private static func receipts(_ error: NoReceipt) -> RPCError {
        let message =
            switch error {
            case .madeBefore:
                "The workbook has no receipt, because no worker with a signing key made it. Start a new export. If that export has no receipt either, ask the operators to check the workers."
            case .noKey:
                "The workbook has no receipt, because the service has no active signing key. Ask the operators to run adminexportd make-key."
            }
        return RPCError(.notConfigured, message, details: [("reason", .text(error.rawValue))])
    }

    private static func jobs(_ error: QueueError) -> RPCError {
        switch error {
        case .notFound:
            RPCError(.notFound, "The export does not exist, or another administrator requested it.")
        case .conflict:
            RPCError(
                .conflict, "The idempotency key was used for an export with other options. Use another key.")
        case .quotaExceeded(let limit, let retryAfter):
            RPCError(
                .quotaExceeded,
                "The tenant has \(limit) exports in the queue, which is its limit. Try again when one has ended.",
                retryable: true,
                details: [("limit", .number(limit)), ("retryAfterMs", .number(Int(retryAfter / .milliseconds(1))))])
        case .busy:
            RPCError(
                .overloaded, "Too many exports of the tenant are being started now. Try again in a moment.", retryable: true)
        case .notReady(.expired):
            RPCError(.expired, "The workbook has expired or was deleted. Start a new export.")
        case .notReady(let state):
            RPCError(
                .notReady, "The export has no workbook: it is \(state.rawValue).", retryable: !state.isFinal,
                details: [("state", .text(state.rawValue))])
        case .noWorker:
            RPCError(.notFound, "No running worker has this id. service.workers lists the workers.")
        case .held:
            RPCError(
                .conflict, "The workbook is under a legal hold and cannot be deleted. An operator can end the hold.",
                details: [("reason", .text("held"))])
        }
    }
}

extension RPCError {
    init(_ kind: ErrorKind, _ message: String, retryable: Bool = false, details: [(name: String, value: Detail)] = []) {
        self.init(kind.code, kind.rawValue, message, retryable: retryable, details: details)
    }
}
