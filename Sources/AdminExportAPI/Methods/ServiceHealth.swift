/// Tells whether exports can be asked for and made.
public enum ServiceHealth: Method {
    public static let name = "service.health"

    public typealias Params = NoMembers

    /// Faults that are told: one is enough to begin with, and a long list hides it.
    public static let maxFaults = 20

    public struct Result: WireObject {
        public enum Status: String, Codable, Sendable {
            /// Everything works.
            case ok
            /// Exports are not taken or not made, or files are not given out.
            case degraded
            /// The database does not answer.
            case unavailable
        }

        public let status: Status
        /// `ok`, `unavailable`, or what the service's roles lack in it.
        public let database: String
        public let queued: Int?
        public let running: Int?
        public let oldestQueuedMs: Int?
        /// Workers that have been heard of in the last half minute.
        public let workers: Int?
        /// Jobs that those workers run at a time.
        public let slots: Int?
        /// Those of the workers that take no more jobs.
        public let draining: Int?
        /// No worker takes a job until the queue is resumed.
        public let paused: Bool?
        /// Of the database.
        public let schemaVersion: Int?
        /// Bytes that may still be written on the archives' disk.
        public let freeBytes: Int?
        /// `ok`, or what is wrong with the directory of archives.
        public let storage: String
        /// `ok`, or what is wrong first with the directory of administrators; nil from a service that does not look.
        public let directory: String?
        /// What is wrong with it, ``maxFaults`` at most.
        public let directoryFaults: [DirectoryFault]?
        /// Operations on archives that have not come back for longer than anybody waits for them: a disk that hangs.
        public let stuckFileOperations: Int?

        public init(
            status: Status, database: String, queued: Int?, running: Int?, oldestQueuedMs: Int?, workers: Int?,
            slots: Int?, draining: Int?, paused: Bool?, schemaVersion: Int?, freeBytes: Int?, storage: String,
            directory: String? = nil, directoryFaults: [DirectoryFault]? = nil, stuckFileOperations: Int? = nil
        ) {
            self.status = status
            self.database = database
            self.queued = queued
            self.running = running
            self.oldestQueuedMs = oldestQueuedMs
            self.workers = workers
            self.slots = slots
            self.draining = draining
            self.paused = paused
            self.schemaVersion = schemaVersion
            self.freeBytes = freeBytes
            self.storage = storage
            self.directory = directory
            self.directoryFaults = directoryFaults
            self.stuckFileOperations = stuckFileOperations
        }

        public static let schema = ObjectSchema(
            .init(
                "status", .oneOf(["ok", "degraded", "unavailable"]),
                "degraded: exports are not taken or not made, or files are not given out. unavailable: no database."),
            .init("database", .text, "ok, unavailable, or what the service's roles lack in it."),
            .init("queued", .count, "Jobs that wait; absent without a database, as are the next eight.", required: false),
            .init("running", .count, "Jobs that run.", required: false),
            .init("oldestQueuedMs", .count, "How long the oldest job has waited; absent where none does.", required: false),
            .init("workers", .count, "Workers that have been heard of in the last half minute.", required: false),
            .init("slots", .count, "Jobs that those run at a time.", required: false),
            .init("draining", .count, "Those of them that take no more jobs.", required: false),
            .init(
                "paused", .boolean, "The queue stands still until service.resume; absent without a database.",
                required: false),
            .init("schemaVersion", .count, "Of the database.", required: false),
            .init("freeBytes", .count, "Bytes that may still be written on the archives' disk.", required: false),
            .init("storage", .text, "ok, or what is wrong with the archives."),
            .init(
                "directory", .text, "ok, or what is wrong with the directory of administrators; absent without a database.",
                required: false),
            .init(
                "directoryFaults", .array(of: .object(DirectoryFault.schema), upTo: maxFaults),
                "What is wrong with it; absent where nothing is.", required: false),
            .init(
                "stuckFileOperations", .count,
                "Operations on archives that have not come back for ten seconds; each is waited for by nobody.",
                required: false))
    }

    /// Where the directory of administrators does not hold to its contract.
    public struct DirectoryFault: WireObject, Hashable {
        public let problem: String
        public let remedy: String

        public init(problem: String, remedy: String) {
            self.problem = problem
            self.remedy = remedy
        }

        public static let schema = ObjectSchema(
            .init("problem", .text, "What is wrong; names the relation and the column."),
            .init("remedy", .text, "What to do: a statement, where one does it."))
    }

    public static let summary = "Tells whether exports can be asked for and made."
    public static let examples = [
        Example<Self>(
            "All is well", NoMembers(),
            .init(
                status: .ok, database: "ok", queued: 0, running: 0, oldestQueuedMs: nil, workers: 1, slots: 1, draining: 0,
                paused: false,
                schemaVersion: 4, freeBytes: 41_000_000_000, storage: "ok", directory: "ok", stuckFileOperations: 0))
    ]
}
