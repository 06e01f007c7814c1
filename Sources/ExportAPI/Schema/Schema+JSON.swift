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
        case .array(let element): return ["type": "array", "items": element.json(closed: closed)]
        case .object(let object): return object.json(closed: closed)
        case .optional(let schema): return ["oneOf": [schema.json(closed: closed), ["type": "null"]]]
        case .component(let component): return ["$ref": .string("#/components/schemas/\(component.name)")]
        }
    }
}

extension Schema.StringRule {
    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = ["type": "string"]
        if length.lowerBound > 0 { members["minLength"] = .integer(length.lowerBound) }
        if length.upperBound < .max { members["maxLength"] = .integer(length.upperBound) }
        switch content {
        case .any: break
        case .text: members["pattern"] = "^[^\\u0000]*$"
        case .uuid: members["format"] = "uuid"
        case .time: members["format"] = "date-time"
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
    func json(closed: Bool) -> JSONValue {
        var members: [String: JSONValue]
        switch (schema, schema.json(closed: closed)) {
        case (.component, let reference): members = ["allOf": [reference]]
        case (_, .object(let object)): members = object
        case (_, let other): return other
        }
        members["description"] = .string(description)
        if let defaultValue { members["default"] = defaultValue }
        return .object(members)
    }
}
