/// The kinds of errors on the wire: `error.data.kind`, each with its number (`error.code`). Programs decide by the kind.
///
/// Numbers from −32768 to −32000 are those of JSON-RPC (its specification, section 5.1), −32800 is that of the Language Server
/// Protocol. The others are the service's own.
public enum ErrorKind: String, Sendable, CaseIterable {
    /// The line is not JSON that the service accepts.
    case parseError = "parse-error"
    /// The message is not a request, or the method is not allowed in a batch.
    case invalidRequest = "invalid-request"
    /// The line exceeds the maximum length.
    case lineTooLong = "line-too-long"
    /// A request with this id is still in flight on the connection.
    case duplicateID = "duplicate-id"
    /// The method does not exist.
    case methodNotFound = "method-not-found"
    /// A parameter is unknown, missing or invalid.
    case invalidParams = "invalid-params"
    /// An internal error occurred. The service's log contains the cause.
    case internalError = "internal-error"
    /// The service stops, or the caller's grants have changed.
    case shuttingDown = "shutting-down"
    /// A limit of connections, requests, subscriptions or transfers is reached.
    case overloaded
    /// The caller cancelled the request by `$/cancelRequest`.
    case requestCancelled = "request-cancelled"
    /// The caller or the administrator lacks the permission.
    case permissionDenied = "permission-denied"
    /// The job does not exist, or it belongs to another actor.
    case notFound = "not-found"
    /// The job has no workbook yet, or never gets one.
    case notReady = "not-ready"
    /// The idempotency key was used with other options, or the workbook is under a legal hold.
    case conflict
    /// The tenant has as many queued jobs as its limit allows.
    case quotaExceeded = "quota-exceeded"
    /// The workbook has expired or was deleted.
    case expired
    /// The database, the archives or the directory of administrators cannot be used now.
    case unavailable
    /// The installation lacks what the method needs, or lacked it when the job ran.
    case notConfigured = "not-configured"

    /// The number of the error, `error.code`. Several kinds can share one.
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
        case .notConfigured: 1008
        }
    }

    /// When the error occurs, and what its `data` has beside `kind` and `retryable`.
    public var meaning: String {
        switch self {
        case .parseError: "The line is not JSON that the service accepts. `offset` is the position of the fault in bytes."
        case .invalidRequest: "The message is not a request, or the method is not allowed in a batch."
        case .lineTooLong: "The line has more than `limit` bytes. The service discarded it to its end."
        case .duplicateID: "A request with this id is still in flight on the connection."
        case .methodNotFound: "The method does not exist."
        case .invalidParams:
            """
            A parameter is unknown, missing or invalid; `param` names it. The service did nothing. `reason` is caller-not-allowed if `actor` \
            is missing and the caller lacks the grant to omit it.
            """
        case .internalError: "An internal error occurred. The service's log contains the cause."
        case .shuttingDown: "The service stops, or the caller's grants have changed. Connect again."
        case .overloaded:
            "A limit is reached: on connections, requests, subscriptions, transfers, starts, operations on files or bytes. Try again in a moment."
        case .requestCancelled: "The request was cancelled by `$/cancelRequest`."
        case .permissionDenied:
            """
            The caller or the administrator lacks the permission. `reason` is caller-not-allowed, unknown-tenant, unknown-administrator, \
            ambiguous-actor, administrator-disabled, no-permission, scope-changed or columns-changed.
            """
        case .notFound: "The job does not exist, or it belongs to another actor."
        case .notReady: "The job has no workbook; `state` says why. Retryable while the job is queued or runs."
        case .conflict:
            "The idempotency key was used with other options, or the workbook is under a legal hold (`reason` is held)."
        case .quotaExceeded: "The tenant has `limit` jobs in the queue. Try again after `retryAfterMs`."
        case .expired: "The workbook has expired or was deleted. Start a new export."
        case .unavailable:
            """
            The database, the archives (`reason` is storage) or the directory of administrators (`reason` is directory) cannot be used now.
            """
        case .notConfigured:
            """
            The workbook has no receipt. `reason` is no-key if the service has no active public key, and otherwise made-before: no worker with \
            a signing key made the workbook.
            """
        }
    }

    /// The errors that every method can give.
    public static let general: [ErrorKind] = [
        .parseError, .invalidRequest, .lineTooLong, .duplicateID, .methodNotFound, .invalidParams, .internalError,
        .shuttingDown, .overloaded, .requestCancelled,
    ]
}
