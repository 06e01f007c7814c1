/// The numbers of the service's own errors (`error.code`). JSON-RPC's are in its specification, section 5.1.
public enum ErrorCode {
    public static let permissionDenied = 1001
    public static let notFound = 1002
    public static let notReady = 1003
    public static let conflict = 1004
    public static let quotaExceeded = 1005
    public static let expired = 1006
    public static let unavailable = 1007
    public static let shuttingDown = -32000
    public static let overloaded = -32001
    public static let invalidParams = -32602
}

/// What `error.data.kind` says of the service's own errors.
public enum ErrorKind {
    public static let permissionDenied = "permission-denied"
    public static let notFound = "not-found"
    public static let notReady = "not-ready"
    public static let conflict = "conflict"
    public static let quotaExceeded = "quota-exceeded"
    public static let expired = "expired"
    public static let unavailable = "unavailable"
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
