private import Foundation

/// All that is told of a method, without its types.
public struct MethodDescription: Sendable {
    public struct Example: Sendable {
        public let title: String
        public let params: JSONValue
        public let result: JSONValue
    }

    public let name: String
    public let summary: String
    public let details: String
    public let params: ObjectSchema
    public let result: ObjectSchema
    public let errors: [ErrorKind]
    public let examples: [Example]
    public let isTakenInBatch: Bool
    public let descriptors: Int

    init<Called: Method>(_ method: Called.Type) {
        name = Called.name
        summary = Called.summary
        details = Called.details
        params = Called.Params.schema
        result = Called.Result.schema
        errors = Called.errors
        examples = Called.examples.map {
            Example(title: $0.title, params: JSONValue(encoding: $0.params), result: JSONValue(encoding: $0.result))
        }
        isTakenInBatch = Called.isTakenInBatch
        descriptors = Called.descriptors
    }

    /// Every method of the protocol, in the order in which they are best read.
    public static let all: [MethodDescription] = [
        .init(ExportStart.self), .init(ExportGet.self), .init(ExportList.self), .init(ExportWait.self),
        .init(ExportWatch.self), .init(ExportUnwatch.self), .init(ExportCancel.self), .init(ExportOpen.self),
        .init(ExportRead.self), .init(ExportDelete.self), .init(ServiceInfo.self), .init(ServiceHealth.self),
        .init(ServiceMetrics.self), .init(ServiceStats.self),
        .init(RPCDiscover.self), .init(ServicePause.self), .init(ServiceResume.self), .init(ServiceWorkers.self),
        .init(ServiceDrain.self), .init(ServiceHold.self), .init(AuditList.self),
    ]
}

extension JSONValue {
    /// A wire object as JSON.
    fileprivate init(encoding object: some WireObject) {
        do {
            self = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(object))
        } catch {
            preconditionFailure("a wire object has something that is no JSON of this protocol: \(error)")
        }
    }
}
