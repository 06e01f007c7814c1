/// Reads a part of a finished workbook.
public enum ExportRead: Method {
    public static let name = "export.read"

    public struct Params: WireObject {
        public let actor: ActorName
        /// The job's id.
        public let job: String
        /// Bytes from the start of the workbook.
        public let offset: Int
        /// 1 to 524,288 bytes.
        public let length: Int

        public init(actor: ActorName, job: String, offset: Int, length: Int) {
            self.actor = actor
            self.job = job
            self.offset = offset
            self.length = length
        }

        public static let schema = ObjectSchema(
            ActorName.property(required: true), JobParams.job,
            .init("offset", .count, "Bytes from the start of the workbook."),
            .init("length", .integer(1...longest), "Bytes to read."))
    }

    public struct Result: WireObject {
        public let offset: Int
        /// Base64; fewer bytes than asked for only at the end.
        public let data: String
        /// Bytes of the whole workbook.
        public let size: Int
        /// Whether the part reaches the end.
        public let eof: Bool

        public init(offset: Int, data: String, size: Int, eof: Bool) {
            self.offset = offset
            self.data = data
            self.size = size
            self.eof = eof
        }

        public static let schema = ObjectSchema(
            .init("offset", .count, "As asked for."),
            .init(
                "data", .string(.init(.base64, length: 0...((longest + 2) / 3 * 4))),
                "Fewer bytes than asked for only at the end of the workbook."),
            .init("size", .count, "Bytes of the whole workbook."),
            .init("eof", .boolean, "Whether the part reaches the end."))
    }

    public static let longest = 524_288

    public static let summary = "Reads a part of a finished workbook."
    public static let details =
        "For callers that cannot take descriptors; export.open is faster. The audit trail names the download once for a connection and job."
    public static let errors: [ErrorKind] = [.permissionDenied, .notFound, .notReady, .expired, .unavailable]
    public static let isTakenInBatch = false
    public static let examples = [
        Example<Self>(
            "The first bytes", .init(actor: ExampleValues.actor, job: ExampleValues.jobID, offset: 0, length: 4),
            .init(offset: 0, data: "UEsDBA==", size: 6_921, eof: false))
    ]
}
