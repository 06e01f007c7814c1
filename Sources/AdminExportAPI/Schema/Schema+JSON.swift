extension Schema {
    /// As JSON Schema, draft 7, which OpenRPC uses.
    ///
    /// - Parameter closed: objects have no further members. So with what callers send; what they receive may grow.
    func json(closed: Bool) -> JSONValue {
        switch self {
        case .string(let rule): return rule.json
        case .integer(let range):
            var members: [String: JSONValue] = ["type": "integer", "minimum": .integer(range.lowerBound)]
            if range.upperBound < Self.largestInteger { members["maximum"] = .integer(range.upperBound) }
            return .object(members)
        case .boolean: return ["type": "boolean"]
        case .array(let element, let most, let isSet):
            var members: [String: JSONValue] = [
                "type": "array", "items": element.json(closed: closed), "maxItems": .integer(most),
            ]
            if isSet { members["uniqueItems"] = true }
            return .object(members)
        case .object(let object): return object.json(closed: closed)
        case .optional(let schema): return .object(schema.json(closed: closed).orNull)
        case .component(let component): return ["$ref": .string("#/components/schemas/\(component.name)")]
        }
    }
}

extension Schema.StringRule {
    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = ["type": "string", "maxLength": .integer(length.upperBound)]
        if length.lowerBound > 0 { members["minLength"] = .integer(length.lowerBound) }
        switch content {
        case .any: break
        case .text: members["pattern"] = "^[^\\u0000]*$"
        case .uuid:
            members["format"] = "uuid"
            members["pattern"] = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
        case .time:
            members["format"] = "date-time"
            members["pattern"] = .string(RFC3339.pattern)
        case .auditCursor: members["pattern"] = "^[0-9]{1,18}-[0-9]{1,18}$"
        case .hexadecimal: members["pattern"] = "^[0-9a-f]*$"
        case .base64: members["contentEncoding"] = "base64"
        case .oneOf(let values): members["enum"] = .array(values.map { .string($0) })
        }
        return .object(members)
    }
}

extension ObjectSchema {
    func json(closed: Bool) -> JSONValue {
        var members: [String: JSONValue] = [
            "type": "object",
            "properties": .object(
                Dictionary(properties.map { ($0.name, $0.json(closed: closed)) }) { first, _ in first }),
            "required": .array(properties.filter(\.isRequired).map { .string($0.name) }),
        ]
        if closed { members["additionalProperties"] = false }
        return .object(members)
    }
}

extension ObjectSchema.Property {
    /// The schema with the words about it; beside a reference there may be none, so it stands in an `allOf` then.
    ///
    /// In what callers send null stands for a member that is left out. What they receive has a null where the schema itself
    /// says so.
    func json(closed: Bool) -> JSONValue {
        var members: [String: JSONValue]
        switch (schema, schema.json(closed: closed)) {
        case (_, let value) where closed && !isRequired: members = value.orNull
        case (.component, let reference): members = ["allOf": [reference]]
        case (_, .object(let object)): members = object
        case (_, let other): return other
        }
        members["description"] = .string(description)
        if let defaultValue { members["default"] = defaultValue }
        return .object(members)
    }
}

extension JSONValue {
    fileprivate var orNull: [String: JSONValue] { ["oneOf": [self, ["type": "null"]]] }
}
