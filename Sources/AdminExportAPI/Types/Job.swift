/// An export, as callers see it. Times are RFC 3339 in UTC with milliseconds, sizes are bytes.
public struct Job: Codable, Hashable, Sendable {
    public enum State: String, Codable, Hashable, Sendable, CaseIterable {
        case queued, running, succeeded, failed, cancelled, expired

        /// Nothing but expiry and deletion changes it any more.
        public var isFinal: Bool { self != .queued && self != .running }
    }

    public struct Progress: Codable, Hashable, Sendable {
        public let rowsDone: Int
        /// Known once the snapshot has been counted.
        public let rowsTotal: Int?

        public init(rowsDone: Int, rowsTotal: Int?) {
            self.rowsDone = rowsDone
            self.rowsTotal = rowsTotal
        }
    }

    /// Something that the export did not do in silence: `text-truncated`, `text-replaced`, `date-as-text`,
    /// `unresolved-reference`.
    public struct Warning: Codable, Hashable, Sendable {
        public let kind: String
        public let count: Int

        public init(kind: String, count: Int) {
            self.kind = kind
            self.count = count
        }
    }

    public struct Failure: Codable, Hashable, Sendable {
        /// The contract; see ``FailureKind``.
        public let kind: String
        /// For people.
        public let message: String

        public init(kind: String, message: String) {
            self.kind = kind
            self.message = message
        }
    }

    public let id: String
    public let tenant: String
    public let requestedBy: String
    public let includeDisabled: Bool
    public let includeReferences: Bool
    public let state: State
    /// Rises with every visible change.
    public let revision: Int
    public let progress: Progress
    /// 1 for the tenant's next job; null unless queued.
    public let queuePosition: Int?
    public let cancelRequested: Bool
    public let createdAt: String
    /// Of the first attempt.
    public let startedAt: String?
    /// Of the attempt that runs, or ran last.
    public let attemptStartedAt: String?
    public let finishedAt: String?
    public let expiresAt: String?
    /// `administrators-<tenant>-<yyyy-mm-dd>.xlsx`, the day being the data's in the tenant's time zone. Whoever writes a file under a name
    /// that came over the wire holds it to ``WorkbookName/safe(_:)`` first.
    public let fileName: String?
    public let size: Int?
    /// Hexadecimal, of the workbook.
    public let sha256: String?
    public let rows: Int?
    public let sheets: Int?
    public let warnings: [Warning]
    /// Why it failed; of a queued job, why its last attempt did.
    public let error: Failure?

    public init(
        id: String, tenant: String, requestedBy: String, includeDisabled: Bool, includeReferences: Bool, state: State,
        revision: Int, progress: Progress, queuePosition: Int?, cancelRequested: Bool, createdAt: String,
        startedAt: String?, attemptStartedAt: String? = nil, finishedAt: String?, expiresAt: String?, fileName: String?,
        size: Int?, sha256: String?, rows: Int?, sheets: Int?, warnings: [Warning], error: Failure?
    ) {
        self.id = id
        self.tenant = tenant
        self.requestedBy = requestedBy
        self.includeDisabled = includeDisabled
        self.includeReferences = includeReferences
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
        self.warnings = warnings
        self.error = error
    }

    /// Writes null where there is nothing: every member is always there.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(tenant, forKey: .tenant)
        try container.encode(requestedBy, forKey: .requestedBy)
        try container.encode(includeDisabled, forKey: .includeDisabled)
        try container.encode(includeReferences, forKey: .includeReferences)
        try container.encode(state, forKey: .state)
        try container.encode(revision, forKey: .revision)
        try container.encode(progress, forKey: .progress)
        try container.encode(queuePosition, forKey: .queuePosition)
        try container.encode(cancelRequested, forKey: .cancelRequested)
        try container.encode(createdAt, forKey: .createdAt)
        try container.encode(startedAt, forKey: .startedAt)
        try container.encode(attemptStartedAt, forKey: .attemptStartedAt)
        try container.encode(finishedAt, forKey: .finishedAt)
        try container.encode(expiresAt, forKey: .expiresAt)
        try container.encode(fileName, forKey: .fileName)
        try container.encode(size, forKey: .size)
        try container.encode(sha256, forKey: .sha256)
        try container.encode(rows, forKey: .rows)
        try container.encode(sheets, forKey: .sheets)
        try container.encode(warnings, forKey: .warnings)
        try container.encode(error, forKey: .error)
    }
}

extension Job.Progress {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(rowsDone, forKey: .rowsDone)
        try container.encode(rowsTotal, forKey: .rowsTotal)
    }
}

extension Job {
    static let component = Schema.Component(name: "Job", schema: schema)

    static let stateSchema = Schema.oneOf(State.allCases.map(\.rawValue))

    static let schema = ObjectSchema(
        .init("id", .uuid, "The job's id, a UUID of version 7."),
        .init("tenant", ActorName.label, "The tenant's slug when the export was asked for."),
        .init("requestedBy", ActorName.label, "The e-mail address of the administrator who asked."),
        .init("includeDisabled", .boolean, "Whether disabled administrators are exported too."),
        .init("includeReferences", .boolean, "Whether there are sheets of profiles, groups and teams."),
        .init("state", stateSchema, "A running job may go back to queued; error then says why."),
        .init("revision", .count, "Rises by one with every visible change."),
        .init(
            "progress",
            .object(
                ObjectSchema(
                    .init("rowsDone", .count, "Rows that have been written."),
                    .init("rowsTotal", .optional(.count), "Rows there are; null until they have been counted."))),
            "How far the export is. It begins anew with each attempt."),
        .init("queuePosition", .optional(.count), "1 for the tenant's next job; null unless it is queued."),
        .init("cancelRequested", .boolean, "Whether somebody wants it to end."),
        .init("createdAt", .time, "When it was asked for."),
        .init("startedAt", .optional(.time), "When its first attempt began."),
        .init(
            "attemptStartedAt", .optional(.time),
            "When the attempt began that runs, or ran last; null also where an older version did not write it down."),
        .init("finishedAt", .optional(.time), "When it became final."),
        .init(
            "expiresAt", .optional(.time), "Until when the file is kept, unless it is held; from then on the job is expired."
        ),
        .init(
            "fileName", .optional(.text(upTo: 255)),
            "administrators-<tenant>-<yyyy-mm-dd>.xlsx, the day being the data's in the tenant's time zone. What cannot stand in a file's name is _; at most 255 bytes of UTF-8."
        ),
        .init("size", .optional(.count), "Bytes of the workbook."),
        .init("sha256", .optional(.sha256), "Of the workbook, in hexadecimal."),
        .init("rows", .optional(.count), "Rows of the workbook, its header not counted."),
        .init("sheets", .optional(.count), "Sheets of the workbook."),
        .init(
            "warnings",
            .array(
                of: .object(
                    ObjectSchema(
                        .init(
                            "kind", .text(upTo: 64), "text-truncated, text-replaced, date-as-text or unresolved-reference."),
                        .init("count", .count, "How often."))), upTo: 16),
            "What the export did not do in silence."),
        .init(
            "error",
            .optional(
                .object(
                    ObjectSchema(
                        .init("kind", .oneOf(FailureKind.allCases.map(\.rawValue)), "The contract."),
                        .init("message", .text, "For people.")))),
            "Why it failed; of a queued job, why its last attempt did."))
}
