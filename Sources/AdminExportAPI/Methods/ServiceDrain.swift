/// Has a worker take no more jobs.
public enum ServiceDrain: Method {
    public static let name = "service.drain"

    public struct Params: WireObject {
        public let worker: String
        /// False lets it take jobs again; true where absent.
        public let on: Bool?

        public init(worker: String, on: Bool? = nil) {
            self.worker = worker
            self.on = on
        }

        public static let schema = ObjectSchema(
            .init("worker", .uuid, "The worker's id, as service.workers shows it."),
            .init("on", .boolean, "false lets it take jobs again.", default: true))
    }

    public struct Result: WireObject {
        public let worker: WorkerStatus

        public init(worker: WorkerStatus) {
            self.worker = worker
        }

        public static let schema = ObjectSchema(.init("worker", .object(WorkerStatus.schema), "The worker as it stands."))
    }

    public static let summary =
        "Has a worker take no more jobs; what it runs goes on to its end. It can be stopped when it runs none."
    public static let details = "For operators of all tenants. Lasts until the worker's process ends, or until it is undone."
    public static let errors: [ErrorKind] = [.permissionDenied, .notFound, .unavailable]
    public static let examples = [
        Example<Self>("Before an upgrade", .init(worker: ExampleValues.worker.id), .init(worker: ExampleValues.worker))
    ]
}
