/// Tells whether exports can be asked for and made.
public enum ServiceHealth: Method {
    public static let name = "service.health"

    public typealias Params = NoParams

    public struct Result: Codable, Sendable {
        public enum Status: String, Codable, Sendable {
            /// Everything works.
            case ok
            /// Exports are taken but not made, or files are not given out.
            case degraded
            /// The database does not answer.
            case unavailable
        }

        public let status: Status
        /// `ok` or `unavailable`.
        public let database: String
        public let queued: Int?
        public let running: Int?
        public let oldestQueuedMs: Int?
        /// Workers that have been heard of in the last half minute.
        public let workers: Int?
        /// `ok`, or what is wrong with the directory of archives.
        public let storage: String

        public init(
            status: Status, database: String, queued: Int?, running: Int?, oldestQueuedMs: Int?, workers: Int?,
            storage: String
        ) {
            self.status = status
            self.database = database
            self.queued = queued
            self.running = running
            self.oldestQueuedMs = oldestQueuedMs
            self.workers = workers
            self.storage = storage
        }
    }
}
