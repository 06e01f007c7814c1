internal import AdminExportAPI
private import Directory
internal import JSONRPC

/// Checks parameters against their schema before the service does anything, and names the first that does not match.
///
/// It returns the values that it has read. A member that is null is left out, and an empty array instead of parameters is an object. The
/// check reads nothing beyond the bounds of the schema, so its cost is bounded by the schema and not by what was sent.
enum ParamCheck {
    /// - Parameter params: nil if the request has none.
    /// - Returns: the members of the parameters.
    /// - Throws: ``RPCError`` −32602 for a member that is unknown, missing or wrong, at any depth.
    static func members(of params: JSONNode?, _ schema: ObjectSchema) throws(RPCError) -> [String: JSONValue] {
        if params?.kind == .array {
            let isEmpty = params?.elements.first { _ in true } == nil
            guard isEmpty, !schema.properties.contains(where: \.isRequired) else { throw .positionalParams }
        }
        // An array has no members.
        return try members(of: params, schema, "")
    }

    private static func members(
        of node: JSONNode?, _ schema: ObjectSchema, _ path: String
    ) throws(RPCError) -> [String: JSONValue] {
        func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
        var found: [String: JSONValue] = [:]
        // If there is one more than the schema has, at least one is unknown.
        for member in node.map({ Array($0.members.prefix(schema.properties.count + 1)) }) ?? [] {
            guard let property = schema.properties.first(where: { member.name.isString($0.name) }) else {
                let name = place(RPCError.excerpt(member.name, 128))
                throw .invalidParams(
                    name,
                    "Unknown parameter \(RPCError.excerpt(name)). rpc.discover lists the parameters of each method.")
            }
            if !property.isRequired, member.value.isLiteral("null") { continue }
            found[property.name] = try value(of: member.value, property.schema, place(property.name))
        }
        for property in schema.properties where property.isRequired && found[property.name] == nil {
            throw .invalidParams(place(property.name), "The parameter \(place(property.name)) is missing.")
        }
        return found
    }

    private static func value(of node: JSONNode, _ schema: Schema, _ path: String) throws(RPCError) -> JSONValue {
        switch schema {
        case .string(let rule):
            return .string(try text(node, rule, path))
        case .integer(let range):
            guard let value = node.integer, range.contains(value) else {
                throw wrong(
                    path,
                    range.upperBound < Schema.largestInteger
                        ? "an integer from \(range.lowerBound) to \(range.upperBound)"
                        : "an integer from \(range.lowerBound) on, below 2^53")
            }
            return .integer(value)
        case .boolean:
            let isTrue = node.isLiteral("true")
            guard isTrue || node.isLiteral("false") else { throw wrong(path, "true or false") }
            return .boolean(isTrue)
        case .array(let element, let most, let isSet):
            guard node.kind == .array else { throw wrong(path, "an array") }
            var elements: [JSONValue] = []
            var before: Set<JSONValue> = []
            for each in node.elements.prefix(most + 1) {
                let place = "\(path).\(elements.count)"
                guard elements.count < most else { throw wrong(path, "an array of up to \(most) elements") }
                let value = try value(of: each, element, place)
                if isSet, !before.insert(value).inserted {
                    throw wrong(place, "an element that does not repeat an earlier one")
                }
                elements.append(value)
            }
            return .array(elements)
        case .object(let object):
            return try self.object(node, object, path)
        case .component(let component):
            return try object(node, component.schema, path)
        case .optional(let wrapped):
            return node.isLiteral("null") ? .null : try value(of: node, wrapped, path)
        }
    }

    private static func object(_ node: JSONNode, _ schema: ObjectSchema, _ path: String) throws(RPCError) -> JSONValue {
        guard node.kind == .object else { throw wrong(path, "an object") }
        return .object(try members(of: node, schema, path))
    }

    private static func text(_ node: JSONNode, _ rule: Schema.StringRule, _ path: String) throws(RPCError) -> String {
        // In scalars: a character as people count them can have any number of scalars.
        guard let text = node.text(upTo: rule.length.upperBound + 1) else { throw wrong(path, "a string") }
        let isOfLength = rule.length.contains(text.unicodeScalars.count)
        switch rule.content {
        case .uuid:
            guard isOfLength, text.isUUID else { throw wrong(path, "a UUID that the service gave") }
        case .time:
            guard isOfLength, RFC3339.microseconds(text) != nil else {
                throw wrong(path, "a time as in RFC 3339, in the years 0001 to 9999, such as 2026-11-25T09:30:00Z")
            }
        case .auditCursor:
            guard isOfLength, isAuditCursor(text) else { throw wrong(path, "the nextCursor of an earlier page") }
        case .oneOf(let values):
            // By bytes: Swift compares strings by canonical equivalence.
            guard values.contains(where: { $0.utf8.elementsEqual(text.utf8) }) else {
                throw wrong(path, "one of \(values.joined(separator: ", "))")
            }
        case .any, .text, .base64, .hexadecimal:
            guard isOfLength else {
                throw wrong(path, "a string of \(rule.length.lowerBound) to \(rule.length.upperBound) characters")
            }
            if rule.content != .any, text.unicodeScalars.contains("\0") { throw wrong(path, "a string without NUL") }
        }
        return text
    }

    private static func isAuditCursor(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        return parts.count == 2
            && parts.allSatisfy { part in
                (1...18).contains(part.count) && part.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            }
    }

    private static func wrong(_ path: String, _ expected: String) -> RPCError {
        .invalidParams(path, "The parameter \(RPCError.excerpt(path)) must be \(expected).")
    }
}
