/// Reads a part of a finished workbook.
public enum ExportRead: Method {
    public static let name = "export.read"

    public struct Params: ParamObject {
        public let actor: Actor
        /// The job's id.
        public let job: String
        /// Bytes from the start of the workbook.
        public let offset: Int
        /// 1 to 524,288 bytes.
        public let length: Int

        public init(actor: Actor, job: String, offset: Int, length: Int) {
            self.actor = actor
            self.job = job
            self.offset = offset
            self.length = length
        }

        public static let members: [String: (any ParamObject.Type)?] = [
            "actor": Actor.self,
            "job": nil,
            "offset": nil,
            "length": nil,
        ]
    }

    public struct Result: Codable, Sendable {
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
    }

    public static let longest = 524_288
}
