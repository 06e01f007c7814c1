/// Passes a finished workbook as an open file.
public enum ExportOpen: Method {
    /// The form in which the service passes the workbook.
    public enum Encoding: String, Codable, Sendable, CaseIterable {
        /// A pipe with the bytes of the workbook.
        case identity
        /// The archive file itself, read-only: Zstandard in its seekable format.
        case zstd
    }

    /// Which workbook, from where, in which form.
    public struct Params: WireObject {
        /// The administrator in whose name the caller asks.
        public let actor: ActorName
        /// The job's id.
        public let job: String
        /// Bytes to skip from the start of the workbook; 0 if absent.
        public let offset: Int?
        /// The form; `identity` if absent.
        public let encoding: Encoding?

        /// An absent parameter means its default.
        public init(actor: ActorName, job: String, offset: Int? = nil, encoding: Encoding? = nil) {
            self.actor = actor
            self.job = job
            self.offset = offset
            self.encoding = encoding
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            ActorName.property(required: true), JobParams.job,
            .init("offset", .count, "Bytes to skip from the start of the workbook. Must be 0 for zstd.", default: 0),
            .init(
                "encoding", .oneOf(Encoding.allCases.map(\.rawValue)),
                "identity: a pipe with the bytes of the workbook. zstd: the archive file itself, read-only.",
                default: "identity"))
    }

    /// What the descriptor holds.
    public struct Result: WireObject {
        /// Bytes of the whole workbook.
        public let size: Int
        /// The SHA-256 of the whole workbook, in hexadecimal.
        public let sha256: String
        /// Bytes of the archive.
        public let archiveSize: Int
        /// The name for the workbook; pass it through ``WorkbookName/safe(_:)`` before you create a file with it.
        public let fileName: String
        /// The index of the file among this reply's descriptors: always 0.
        public let fd: Int

        /// The result for an open file.
        public init(size: Int, sha256: String, archiveSize: Int, fileName: String, fd: Int = 0) {
            self.size = size
            self.sha256 = sha256
            self.archiveSize = archiveSize
            self.fileName = fileName
            self.fd = fd
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("size", .count, "Bytes of the whole workbook."),
            .init("sha256", .sha256, "The SHA-256 of the whole workbook, in hexadecimal."),
            .init("archiveSize", .count, "Bytes of the archive."),
            .init("fileName", .text(upTo: 255), "The name for the workbook."),
            .init("fd", .integer(0...0), "The index of the file's descriptor among the reply's descriptors."))
    }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "export.open", "Passes a finished workbook as an open file, without copying it through the socket.",
        details: """
            The reply carries one descriptor (SCM_RIGHTS). The service writes to a pipe at the pace of its reader. If a pipe ends before \
            size bytes, open the file again at the offset that you have reached. The service closes a pipe whose reader takes nothing for \
            unreadOutputMs. You can read an open file to its end, even if it is deleted meanwhile. Each call is a download in the audit \
            trail.
            """,
        errors: [.permissionDenied, .notFound, .notReady, .expired, .unavailable], isTakenInBatch: false, descriptors: 1,
        examples: [
            ("A pipe with the workbook", .init(actor: ExampleValues.actor, job: ExampleValues.jobID), result),
            ("The archive", .init(actor: ExampleValues.actor, job: ExampleValues.jobID, encoding: .zstd), result),
        ])

    private static let result = Result(
        size: 6_921, sha256: ExampleValues.succeeded.sha256 ?? "", archiveSize: 7_482,
        fileName: "administrators-acme-2026-11-25.xlsx")
}

/// Reads a part of a finished workbook.
public enum ExportRead: Method {
    /// Which part of which workbook.
    public struct Params: WireObject {
        /// The administrator in whose name the caller asks.
        public let actor: ActorName
        /// The job's id.
        public let job: String
        /// Bytes to skip from the start of the workbook.
        public let offset: Int
        /// Bytes to read, 1 to ``ExportRead/maxLength``.
        public let length: Int

        /// The parameters for one part.
        public init(actor: ActorName, job: String, offset: Int, length: Int) {
            self.actor = actor
            self.job = job
            self.offset = offset
            self.length = length
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            ActorName.property(required: true), JobParams.job,
            .init("offset", .count, "Bytes to skip from the start of the workbook."),
            .init("length", .integer(1...maxLength), "Bytes to read."))
    }

    /// One part of a workbook.
    public struct Result: WireObject {
        /// The offset of the part, as in the parameters.
        public let offset: Int
        /// The bytes in base64. Fewer than `length` only at the end of the workbook.
        public let data: String
        /// Bytes of the whole workbook.
        public let size: Int
        /// Whether the part reaches the end of the workbook.
        public let eof: Bool

        /// The result for one part.
        public init(offset: Int, data: String, size: Int, eof: Bool) {
            self.offset = offset
            self.data = data
            self.size = size
            self.eof = eof
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("offset", .count, "The offset of the part, as in the parameters."),
            .init(
                "data", .string(.init(.base64, length: 0...((maxLength + 2) / 3 * 4))),
                "The bytes. Fewer than length only at the end of the workbook."),
            .init("size", .count, "Bytes of the whole workbook."),
            .init("eof", .boolean, "Whether the part reaches the end of the workbook."))
    }

    /// The largest number of bytes that one call can read.
    public static let maxLength = 524_288

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "export.read", "Reads a part of a finished workbook.",
        details: """
            For callers that cannot receive descriptors. export.open is faster. The audit trail records one download for each connection \
            and job, whatever the number of parts.
            """,
        errors: [.permissionDenied, .notFound, .notReady, .expired, .unavailable], isTakenInBatch: false,
        examples: [
            (
                "The first four bytes", .init(actor: ExampleValues.actor, job: ExampleValues.jobID, offset: 0, length: 4),
                .init(offset: 0, data: "UEsDBA==", size: 6_921, eof: false)
            )
        ])
}
