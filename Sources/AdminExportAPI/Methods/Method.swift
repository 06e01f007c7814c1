private import Foundation

/// One method of the protocol, as a type: its parameters, its result, and its description.
public protocol Method: Sendable {
    /// The object that a caller sends as `params`.
    associatedtype Params: WireObject
    /// The object that the service answers as `result`.
    associatedtype Result: WireObject
    /// The name, the texts, the errors and the examples of the method.
    static var description: MethodDescription { get }
    /// Whether a call whose answer was lost can be sent again without doing the work twice. True by default.
    static func isRepeatable(_ params: Params) -> Bool
}

/// The name, which the description contains, and the default of a requirement.
extension Method {
    /// The name on the wire, such as `export.start`.
    public static var name: String { description.name }
    /// True: most methods can be sent again.
    public static func isRepeatable(_ params: Params) -> Bool { true }
}

/// A JSON object with known members.
public protocol WireObject: Codable, Sendable {
    /// The members, with their types, bounds and meaning.
    static var schema: ObjectSchema { get }
}

/// An object without members: the parameters or the result of a method that needs none.
public struct NoMembers: WireObject {
    /// No members.
    public static let schema = ObjectSchema()

    /// The empty object.
    public init() {}
}

/// The description of a method, without its types. ``OpenRPC`` makes the document from it.
public struct MethodDescription: Sendable {
    /// Parameters and the result that they give.
    public struct Example: Sendable {
        /// What the example shows.
        public let title: String
        /// Parameters that can be sent as they are, apart from ids.
        public let params: JSONValue
        /// The result of that call.
        public let result: JSONValue
    }

    /// The name on the wire, such as `export.start`.
    public let name: String
    /// What the method does, in one sentence.
    public let summary: String
    /// What else a caller has to know; empty if nothing.
    public let details: String
    /// The members of the parameters.
    public let params: ObjectSchema
    /// The members of the result.
    public let result: ObjectSchema
    /// The errors that the method can give beyond ``ErrorKind/general``.
    public let errors: [ErrorKind]
    /// Whether the method is allowed in a batch.
    public let isTakenInBatch: Bool
    /// How many descriptors come with the result.
    public let descriptors: Int
    private let makeExamples: @Sendable () -> [Example]

    /// The examples, encoded at each call.
    public var examples: [Example] { makeExamples() }

    init<Called: Method>(
        _ method: Called.Type, _ name: String, _ summary: String, details: String = "", errors: [ErrorKind] = [],
        isTakenInBatch: Bool = true, descriptors: Int = 0,
        examples: @autoclosure @escaping @Sendable () -> [(title: String, params: Called.Params, result: Called.Result)]
    ) {
        self.name = name
        self.summary = summary
        self.details = details
        params = Called.Params.schema
        result = Called.Result.schema
        self.errors = errors
        self.isTakenInBatch = isTakenInBatch
        self.descriptors = descriptors
        makeExamples = {
            examples().map {
                Example(title: $0.title, params: JSONValue(encoding: $0.params), result: JSONValue(encoding: $0.result))
            }
        }
    }

    /// Every method of the protocol, in the order in which they are best read.
    public static let all: [MethodDescription] = [
        ExportStart.description, ExportGet.description, ExportList.description, ExportWait.description,
        ExportWatch.description, ExportUnwatch.description, ExportCancel.description, ExportOpen.description,
        ExportRead.description, ExportReceipt.description, ExportDelete.description, ServiceInfo.description,
        ServiceHealth.description,
        ServiceMetrics.description, ServiceStats.description, RPCDiscover.description, ServicePause.description,
        ServiceResume.description,
        ServiceWorkers.description, ServiceDrain.description, ServiceHold.description, ServiceHolds.description,
        AuditList.description,
        AuditCheckpoints.description, AuditDigest.description,
    ]
}

extension JSONValue {
    /// A wire object as JSON.
    fileprivate init(encoding object: some WireObject) {
        do {
            self = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(object))
        } catch {
            preconditionFailure("an example cannot be encoded as JSON of this protocol: \(error)")
        }
    }
}

/// What the examples are about: the export of a small tenant.
enum ExampleValues {
    static let actor = ActorName(tenant: "acme", administrator: "owner@acme.example")
    static let jobID = "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b"

    static let queued = job(.queued)
    static let running = job(.running)
    static let succeeded = job(.succeeded)
    static let expired = job(.expired)

    static let worker = WorkerStatus(
        id: "019ac0d1-02aa-7c55-8d6e-1f0c9be35a72", host: "exports-1", version: "0.1.0",
        startedAt: "2026-11-25T09:16:02.310Z",
        seenAt: "2026-11-25T09:31:07.122Z", slots: 2, running: 1, draining: true, storage: "ok")

    private static let columns = [
        "Name", "Email", "Phone", "Profile", "Main group", "Secondary groups", "Teams", "Creation date", "Last update",
        "Status",
    ]

    private static func job(_ state: Job.State) -> Job {
        let isDone = state.isFinal
        return Job(
            id: jobID, tenant: actor.tenant, requestedBy: actor.administrator, includeDisabled: false,
            includeReferences: false, state: state, revision: isDone ? 4 : state == .running ? 3 : 1,
            progress: Job.Progress(rowsDone: isDone ? 6 : 0, rowsTotal: state == .queued ? nil : 6),
            queuePosition: state == .queued ? 1 : nil, cancelRequested: false, createdAt: "2026-11-25T09:30:00.000Z",
            startedAt: state == .queued ? nil : "2026-11-25T09:30:00.120Z",
            attemptStartedAt: state == .queued ? nil : "2026-11-25T09:30:00.120Z",
            finishedAt: isDone ? "2026-11-25T09:30:00.480Z" : nil,
            expiresAt: isDone ? "2026-12-02T09:30:00.480Z" : nil,
            fileName: isDone ? "administrators-acme-2026-11-25.xlsx" : nil, size: isDone ? 6_921 : nil,
            sha256: isDone ? "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef" : nil,
            rows: isDone ? 6 : nil, sheets: isDone ? 1 : nil, columns: isDone ? columns : nil, warnings: [], error: nil)
    }
}
