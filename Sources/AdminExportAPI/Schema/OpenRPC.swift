/// The protocol as an OpenRPC document (https://spec.open-rpc.org, 1.3), made from the wire types.
///
/// OpenRPC has no notifications. The document has them in `x-notifications`, with their direction.
public enum OpenRPC {
    /// The document of all methods.
    ///
    /// - Parameter version: the version of the service.
    public static func document(version: String) -> JSONValue {
        [
            "openrpc": "1.3.2",
            "info": [
                "title": "adminexport", "version": .string(version),
                "description":
                    "Excel workbooks of administrator accounts. JSON-RPC 2.0 over a Unix stream socket: one message per line, parameters by name.",
            ],
            "methods": .array(MethodDescription.all.map(method)),
            "components": [
                "schemas": .object(
                    Dictionary(components.map { ($0.name, $0.schema.json(closed: $0.name == "Actor")) }) { first, _ in first
                    }
                ),
                "errors": .object(Dictionary(ErrorKind.allCases.map { ($0.rawValue, error($0)) }) { first, _ in first }),
            ],
            "x-notifications": .array(notifications),
        ]
    }

    private static let components = [
        Schema.Component(name: "Actor", schema: ActorName.schema), Job.component,
    ]

    private static func method(_ method: MethodDescription) -> JSONValue {
        // OpenRPC requires optional parameters to come last.
        let params = method.params.properties.filter(\.isRequired) + method.params.properties.filter { !$0.isRequired }
        return [
            "name": .string(method.name),
            "summary": .string(method.summary),
            "description": .string(method.details.isEmpty ? method.summary : method.details),
            "paramStructure": "by-name",
            "params": .array(params.map { descriptor($0) }),
            "result": ["name": "result", "schema": method.result.json(closed: false)],
            "errors": .array((method.errors + ErrorKind.general).map { reference("errors", $0.rawValue) }),
            "examples": .array(method.examples.map { example($0, method) }),
            "x-batch": .boolean(method.isTakenInBatch),
            "x-descriptors": .integer(method.descriptors),
        ]
    }

    private static func reference(_ kind: String, _ name: String) -> JSONValue {
        ["$ref": .string("#/components/\(kind)/\(name)")]
    }

    private static func descriptor(_ property: ObjectSchema.Property) -> JSONValue {
        [
            "name": .string(property.name), "description": .string(property.description),
            "required": .boolean(property.isRequired), "schema": property.json(closed: true),
        ]
    }

    private static func example(_ example: MethodDescription.Example, _ method: MethodDescription) -> JSONValue {
        let params = method.params.properties.compactMap { property in
            example.params[property.name].map { value -> JSONValue in
                ["name": .string(property.name), "value": value]
            }
        }
        return [
            "name": .string(example.title), "params": .array(params), "result": ["name": "result", "value": example.result],
        ]
    }

    private static func error(_ kind: ErrorKind) -> JSONValue {
        [
            "code": .integer(kind.code), "message": .string(kind.meaning),
            "data": ["kind": .string(kind.rawValue)],
        ]
    }

    private static let notifications: [JSONValue] = [
        [
            "name": .string(ExportChanged.name), "x-direction": "to-caller",
            "summary": "The service sends this notification when a watched job has changed, and every 5 s if it has not.",
            "params": .array(
                ExportChanged.schema.properties.map { property in
                    [
                        "name": .string(property.name), "description": .string(property.description), "required": true,
                        "schema": property.json(closed: false),
                    ]
                }),
        ],
        [
            "name": "$/cancelRequest", "x-direction": "to-service",
            "summary":
                "Cancels a request of this connection. The service answers the request with the error request-cancelled, or with its result. It ignores an unknown id.",
            "params": [
                [
                    "name": "id", "description": "The request's id.", "required": true,
                    "schema": ["oneOf": [["type": "integer"], ["type": "string", "maxLength": 128]]],
                ]
            ],
        ],
    ]
}
