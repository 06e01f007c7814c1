/// An export as callers see it. Times are RFC 3339 in UTC with milliseconds, sizes are bytes.
public struct Job: Codable, Hashable, Sendable {
    /// The state of a job.
    public enum State: String, Codable, Hashable, Sendable, CaseIterable {
        /// A queued job waits for a worker, a running job can become queued again, and the others are final. A succeeded job
        /// becomes `expired` when its workbook expires or is deleted.
        case queued, running, succeeded, failed, cancelled, expired

        /// Whether only expiry and deletion can change the state any more.
        public var isFinal: Bool { self != .queued && self != .running }
    }

    /// The progress of an attempt.
    public struct Progress: Codable, Hashable, Sendable {
        /// Rows that have been written.
        public let rowsDone: Int
        /// Rows of the export; nil until the snapshot has counted them.
        public let rowsTotal: Int?

        /// A number of rows, of a total that may not be known yet.
        public init(rowsDone: Int, rowsTotal: Int?) {
            self.rowsDone = rowsDone
            self.rowsTotal = rowsTotal
        }
    }

    /// A kind of value that the export could not write unchanged.
    public struct Warning: Codable, Hashable, Sendable {
        /// `text-truncated`, `text-replaced`, `date-as-text`, `unresolved-reference` or `group-hidden`.
        public let kind: String
        /// How many values.
        public let count: Int

        /// A number of values of a kind.
        public init(kind: String, count: Int) {
            self.kind = kind
            self.count = count
        }
    }

    /// Why an attempt failed.
    public struct Failure: Codable, Hashable, Sendable {
        /// One of ``FailureKind``, for programs.
        public let kind: String
        /// The reason, for people.
        public let message: String

        /// A failure of a kind.
        public init(kind: String, message: String) {
            self.kind = kind
            self.message = message
        }
    }

    /// A UUID of version 7, in lower case.
    public let id: String
    /// The tenant's slug when the export was started.
    public let tenant: String
    /// The e-mail address of the administrator in whose name the export was started.
    public let requestedBy: String
    /// Whether disabled administrators are exported too.
    public let includeDisabled: Bool
    /// Whether the workbook also has sheets of profiles, groups and teams.
    public let includeReferences: Bool
    /// Whether the workbook also has a sheet about the export; nil from a service of an earlier version, which makes none.
    public let includeAbout: Bool?
    /// The state now.
    public let state: State
    /// Increases by one with every visible change.
    public let revision: Int
    /// The progress of the current or last attempt.
    public let progress: Progress
    /// 1 for the tenant's next job; nil unless the job is queued.
    public let queuePosition: Int?
    /// Whether a caller has requested the cancellation of the job.
    public let cancelRequested: Bool
    /// When the export was started.
    public let createdAt: String
    /// When the first attempt began.
    public let startedAt: String?
    /// When the current attempt began, or the last one; nil also if an older version did not record it.
    public let attemptStartedAt: String?
    /// When the job became final.
    public let finishedAt: String?
    /// When the job expires, unless it is under a legal hold.
    public let expiresAt: String?
    /// `administrators-<tenant>-<yyyy-mm-dd>.xlsx`, with the day of the data in the tenant's time zone. Pass a name that came
    /// over the wire through ``WorkbookName/safe(_:)`` before you create a file with it.
    public let fileName: String?
    /// Bytes of the workbook.
    public let size: Int?
    /// The SHA-256 of the workbook, in hexadecimal.
    public let sha256: String?
    /// Rows of the workbook without its header.
    public let rows: Int?
    /// Sheets of the workbook.
    public let sheets: Int?
    /// The titles of the columns of the first sheet; nil until the workbook exists, and from a service of an earlier version.
    public let columns: [String]?
    /// Whether the workbook has a receipt, which ``ExportReceipt`` returns; nil from a service of an earlier version, which makes none.
    public let hasReceipt: Bool?
    /// Values that the export could not write unchanged.
    public let warnings: [Warning]
    /// Why the job failed; for a queued job, why its last attempt failed.
    public let error: Failure?

    /// A job with these members.
    public init(
        id: String, tenant: String, requestedBy: String, includeDisabled: Bool, includeReferences: Bool,
        includeAbout: Bool? = false,
        state: State, revision: Int, progress: Progress, queuePosition: Int?, cancelRequested: Bool, createdAt: String,
        startedAt: String?, attemptStartedAt: String? = nil, finishedAt: String?, expiresAt: String?, fileName: String?,
        size: Int?, sha256: String?, rows: Int?, sheets: Int?, columns: [String]? = nil,
        hasReceipt: Bool? = false, warnings: [Warning], error: Failure?
    ) {
        self.id = id
        self.tenant = tenant
        self.requestedBy = requestedBy
        self.includeDisabled = includeDisabled
        self.includeReferences = includeReferences
        self.includeAbout = includeAbout
        self.state = state
        self.revision = revision
        self.progress = progress
        self.queuePosition = queuePosition
        self.cancelRequested = cancelRequested
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.attemptStartedAt = attemptStartedAt
        self.finishedAt = finishedAt
        self.expiresAt = expiresAt
        self.fileName = fileName
        self.size = size
        self.sha256 = sha256
        self.rows = rows
        self.sheets = sheets
        self.columns = columns
        self.hasReceipt = hasReceipt
        self.warnings = warnings
        self.error = error
    }

    /// Encodes every member; null stands for nil.
    public func encode(to encoder: any Encoder) throws {
        try JSONValue.object(Dictionary(Self.members.map { ($0.property.name, $0.value(self)) }) { first, _ in first })
            .encode(to: encoder)
    }
}

extension Job {
    /// A member of the object that a job is on the wire.
    package struct Member: Sendable {
        /// Name, type and meaning.
        package let property: ObjectSchema.Property
        /// Returns the member's value of a job.
        package let value: @Sendable (Job) -> JSONValue

        fileprivate init(
            _ name: String, _ schema: Schema, _ description: String, _ value: @escaping @Sendable (Job) -> JSONValue
        ) {
            property = ObjectSchema.Property(name, schema, description)
            self.value = value
        }
    }

    static let component = Schema.Component(name: "Job", schema: ObjectSchema(members.map(\.property)))

    static let stateSchema = Schema.oneOf(State.allCases.map(\.rawValue))

    /// The members in their order. The schema, ``encode(to:)`` and the service's own writer are made from this list.
    package static let members: [Member] = [
        Member("id", .uuid, "The job's id, a UUID of version 7.") { .string($0.id) },
        Member("tenant", ActorName.label, "The tenant's slug when the export was started.") { .string($0.tenant) },
        Member(
            "requestedBy", ActorName.label,
            "The e-mail address of the administrator in whose name the export was started."
        ) { .string($0.requestedBy) },
        Member("includeDisabled", .boolean, "Whether disabled administrators are exported too.") {
            .boolean($0.includeDisabled)
        },
        Member("includeReferences", .boolean, "Whether the workbook also has sheets of profiles, groups and teams.") {
            .boolean($0.includeReferences)
        },
        Member("includeAbout", .boolean, "Whether the workbook also has a sheet about the export.") {
            .boolean($0.includeAbout ?? false)
        },
        Member("state", stateSchema, "The state. A running job can return to queued; error then gives the reason.") {
            .string($0.state.rawValue)
        },
        Member("revision", .count, "Increases by one with every visible change.") { .integer($0.revision) },
        Member(
            "progress",
            .object(
                ObjectSchema(
                    .init("rowsDone", .count, "Rows that have been written."),
                    .init("rowsTotal", .optional(.count), "Rows of the export. null until they have been counted."))),
            "The progress of the current or last attempt. Each attempt begins at 0."
        ) { ["rowsDone": .integer($0.progress.rowsDone), "rowsTotal": JSONValue($0.progress.rowsTotal)] },
        Member(
            "queuePosition", .optional(.count),
            "The position in the tenant's queue: 1 for the next job. null unless the job is queued."
        ) {
            JSONValue($0.queuePosition)
        },
        Member("cancelRequested", .boolean, "Whether a caller has requested the cancellation of the job.") {
            .boolean($0.cancelRequested)
        },
        Member("createdAt", .time, "When the export was started.") { .string($0.createdAt) },
        Member("startedAt", .optional(.time), "When the first attempt began.") { JSONValue($0.startedAt) },
        Member(
            "attemptStartedAt", .optional(.time),
            "When the current or last attempt began. null before the first attempt, and if an older version did not record it."
        ) { JSONValue($0.attemptStartedAt) },
        Member("finishedAt", .optional(.time), "When the job became final.") { JSONValue($0.finishedAt) },
        Member(
            "expiresAt", .optional(.time),
            "When the job expires, unless it is under a legal hold. The service does not deliver the workbook of an expired job."
        ) { JSONValue($0.expiresAt) },
        Member(
            "fileName", .optional(.text(upTo: 255)),
            """
            administrators-<tenant>-<yyyy-mm-dd>.xlsx, with the day of the data in the tenant's time zone. The service replaces characters \
            that a file name cannot contain with _. The name has at most 255 bytes of UTF-8.
            """
        ) { JSONValue($0.fileName) },
        Member("size", .optional(.count), "Bytes of the workbook.") { JSONValue($0.size) },
        Member("sha256", .optional(.sha256), "The SHA-256 of the workbook, in hexadecimal.") { JSONValue($0.sha256) },
        Member("rows", .optional(.count), "Rows of the workbook without its header.") { JSONValue($0.rows) },
        Member("sheets", .optional(.count), "Sheets of the workbook.") { JSONValue($0.sheets) },
        Member(
            "columns", .optional(.array(of: .text(upTo: 255), upTo: 1_000)),
            "The titles of the columns of the first sheet. Which further columns follow the first ten depends on the configuration and on the permissions of the actor. null until the workbook exists."
        ) { $0.columns.map { .array($0.map { .string($0) }) } ?? .null },
        Member("hasReceipt", .boolean, "Whether the workbook has a receipt, which export.receipt returns.") {
            .boolean($0.hasReceipt ?? false)
        },
        Member(
            "warnings",
            .array(
                of: .object(
                    ObjectSchema(
                        .init(
                            "kind", .text(upTo: 64),
                            "text-truncated, text-replaced, date-as-text, unresolved-reference or group-hidden."),
                        .init("count", .count, "How many values."))), upTo: 16),
            "Values that the export could not write unchanged."
        ) { .array($0.warnings.map { ["kind": .string($0.kind), "count": .integer($0.count)] }) },
        Member(
            "error",
            .optional(
                .object(
                    ObjectSchema(
                        .init("kind", .oneOf(FailureKind.allCases.map(\.rawValue)), "The kind, which programs use."),
                        .init("message", .text, "The reason, for people.")))),
            "Why the job failed; for a queued job, why its last attempt failed."
        ) { $0.error.map { ["kind": .string($0.kind), "message": .string($0.message)] } ?? .null },
    ]
}

/// What `job.error.kind` can be.
public enum FailureKind: String, Sendable, CaseIterable {
    /// The administrator may not export, or no longer sees what the export contains.
    case permissionDenied = "permission-denied"
    /// The tenant has no time zone, or one that PostgreSQL does not know.
    case unknownTimeZone = "unknown-time-zone"
    /// The directory violates its contract.
    case sourceInvalid = "source-invalid"
    /// The database was not available.
    case databaseUnavailable = "database-unavailable"
    /// The disk of the archives is full.
    case storageFull = "storage-full"
    /// The archive could not be written.
    case storageFailed = "storage-failed"
    /// The export took longer than the limit allows.
    case deadlineExceeded = "deadline-exceeded"
    /// The worker's leases expired too often, or the worker was suspended too often and for too long.
    case workerCrashed = "worker-crashed"
    /// An internal error occurred. The service's log contains the cause.
    case internalError = "internal-error"
}
