/// What `error.data.kind` says: the contract about errors, each with its number (`error.code`).
///
/// Numbers from −32768 to −32000 are JSON-RPC's (its specification, section 5.1), −32800 is the Language Server Protocol's;
/// the rest are the service's own.
public enum ErrorKind: String, Sendable, CaseIterable {
    case parseError = "parse-error"
    case invalidRequest = "invalid-request"
    case lineTooLong = "line-too-long"
    case duplicateID = "duplicate-id"
    case methodNotFound = "method-not-found"
    case invalidParams = "invalid-params"
    case internalError = "internal-error"
    case shuttingDown = "shutting-down"
    case overloaded
    case requestCancelled = "request-cancelled"
    case permissionDenied = "permission-denied"
    case notFound = "not-found"
    case notReady = "not-ready"
    case conflict
    case quotaExceeded = "quota-exceeded"
    case expired
    case unavailable

    public var code: Int {
        switch self {
        case .parseError: -32700
        case .invalidRequest, .lineTooLong, .duplicateID: -32600
        case .methodNotFound: -32601
        case .invalidParams: -32602
        case .internalError: -32603
        case .shuttingDown: -32000
        case .overloaded: -32001
        case .requestCancelled: -32800
        case .permissionDenied: 1001
        case .notFound: 1002
        case .notReady: 1003
        case .conflict: 1004
        case .quotaExceeded: 1005
        case .expired: 1006
        case .unavailable: 1007
        }
    }

    /// When it comes, and what its `data` says beside `kind` and `retryable`.
    public var meaning: String {
        switch self {
        case .parseError: "The line is not JSON that is taken here; `offset` is the byte where the scan stopped."
        case .invalidRequest: "The JSON is no request, or not one for a batch."
        case .lineTooLong: "The line has more than `limit` bytes and was dropped to its end."
        case .duplicateID: "A request with this id is still in flight on the connection."
        case .methodNotFound: "There is no such method."
        case .invalidParams:
            """
            A parameter is not known, missing or wrong; `param` names it. Nothing was done. `reason` is caller-not-allowed where \
            `actor` is missing and the caller lacks the grant to leave it out.
            """
        case .internalError: "Something went wrong in the service; its log says what."
        case .shuttingDown: "The service stops, or its rules about the caller have changed. Connect again."
        case .overloaded: "There are too many connections, requests, subscriptions or transfers. Try again in a moment."
        case .requestCancelled: "The request was cancelled by `$/cancelRequest`."
        case .permissionDenied:
            "The caller or the administrator may not; `reason` is caller-not-allowed, unknown-tenant, unknown-administrator, ambiguous-actor, administrator-disabled, no-permission or scope-changed."
        case .notFound: "There is no such job, or it is somebody else's."
        case .notReady: "The job has no file: `state` says why. Retryable while it is queued or runs."
        case .conflict:
            "The idempotency key was used with other options, or the file is under legal hold (`reason` is held)."
        case .quotaExceeded: "The tenant has `limit` jobs in the queue; try again after `retryAfterMs`."
        case .expired: "The file is not kept any more."
        case .unavailable:
            "The database, the archives (`reason` is storage) or the directory of administrators (`reason` is directory) cannot be used now."
        }
    }

    /// Those that any method may end with.
    public static let general: [ErrorKind] = [
        .parseError, .invalidRequest, .lineTooLong, .duplicateID, .methodNotFound, .invalidParams, .internalError,
        .shuttingDown, .overloaded, .requestCancelled,
    ]
}

/// What `job.error.kind` may say.
public enum FailureKind: String, Sendable, CaseIterable {
    case permissionDenied = "permission-denied"
    case unknownTimeZone = "unknown-time-zone"
    case sourceInvalid = "source-invalid"
    case databaseUnavailable = "database-unavailable"
    case storageFull = "storage-full"
    case storageFailed = "storage-failed"
    case deadlineExceeded = "deadline-exceeded"
    case workerCrashed = "worker-crashed"
    case internalError = "internal-error"
}
