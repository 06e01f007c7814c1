/// Hands out a finished workbook as an open file.
public enum ExportOpen: Method {
    public static let name = "export.open"

    public enum Encoding: String, Codable, Sendable, CaseIterable {
        /// A pipe of the workbook's bytes.
        case identity
        /// The archive file itself, read-only: Zstandard in its seekable format.
        case zstd
    }

    public struct Params: WireObject {
        public let actor: ActorName
        /// The job's id.
        public let job: String
        /// Bytes from the start of the workbook; 0 where absent.
        public let offset: Int?
        /// `identity` where absent.
        public let encoding: Encoding?

        public init(actor: ActorName, job: String, offset: Int? = nil, encoding: Encoding? = nil) {
            self.actor = actor
            self.job = job
            self.offset = offset
            self.encoding = encoding
        }

        public static let schema = ObjectSchema(
            ActorName.property(required: true), JobParams.job,
            .init("offset", .count, "Bytes from the start of the workbook; 0 for zstd.", default: 0),
            .init(
                "encoding", .oneOf(Encoding.allCases.map(\.rawValue)),
                "identity: a pipe of the workbook's bytes. zstd: the archive file itself, read-only.", default: "identity"))
    }

    public struct Result: WireObject {
        /// Bytes of the whole workbook.
        public let size: Int
        /// Of the whole workbook, in hexadecimal.
        public let sha256: String
        /// Bytes of the archive.
        public let archiveSize: Int
        public let fileName: String
        /// Which of this reply's descriptors the file is: the first.
        public let fd: Int

        public init(size: Int, sha256: String, archiveSize: Int, fileName: String, fd: Int = 0) {
            self.size = size
            self.sha256 = sha256
            self.archiveSize = archiveSize
            self.fileName = fileName
            self.fd = fd
        }

        public static let schema = ObjectSchema(
            .init("size", .count, "Bytes of the whole workbook."),
            .init("sha256", .sha256, "Of the whole workbook, in hexadecimal."),
            .init("archiveSize", .count, "Bytes of the archive."),
            .init("fileName", .text(upTo: 255), "The name that the workbook should have."),
            .init("fd", .integer(0...0), "Which of this reply's descriptors the file is."))
    }

    public static let summary = "Hands out a finished workbook as an open file, without copying it through the socket."
    public static let details =
        "One descriptor comes with the reply (SCM_RIGHTS). A pipe is filled at its reader's pace and shorter than size where the service had to stop; a reader that takes nothing for unreadOutputMs has to open it again, at the offset that it has. A file that is deleted meanwhile is read to its end all the same. Each call is a download in the audit trail."
    public static let errors: [ErrorKind] = [.permissionDenied, .notFound, .notReady, .expired, .unavailable]
    public static let isTakenInBatch = false
    public static let descriptors = 1
    public static let examples = [
        Example<Self>(
            "A pipe of the workbook", .init(actor: ExampleValues.actor, job: ExampleValues.jobID), result),
        Example<Self>(
            "The archive", .init(actor: ExampleValues.actor, job: ExampleValues.jobID, encoding: .zstd), result),
    ]

    private static let result = Result(
        size: 6_921, sha256: ExampleValues.succeeded.sha256 ?? "", archiveSize: 7_482,
        fileName: "administrators-acme-2026-11-25.xlsx")
}
