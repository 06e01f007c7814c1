/// Lists the workers.
public enum ServiceWorkers: Method {
    public static let name = "service.workers"
    public typealias Params = NoMembers

    public struct Result: WireObject {
        public let workers: [WorkerStatus]

        public init(workers: [WorkerStatus]) {
            self.workers = workers
        }

        public static let schema = ObjectSchema(
            .init(
                "workers", .array(of: .object(WorkerStatus.schema), upTo: 1_000),
                "Those heard of in the last half minute, oldest first.")
        )
    }

    public static let summary = "Lists the workers that have been heard of in the last half minute."
    public static let details = "For operators of all tenants."
    public static let errors: [ErrorKind] = [.permissionDenied, .unavailable]
    public static let examples = [
        Example<Self>("One machine", NoMembers(), .init(workers: [ExampleValues.worker]))
    ]
}
