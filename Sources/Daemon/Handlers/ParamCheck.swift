internal import AdminExportAPI
private import Directory
internal import JSONRPC

/// Checks parameters against their schema before the service does anything, and names the first that does not match.
///
/// Valid parameters are written in one canonical form for the decoder: an integer is digits, a member that is null is left out, and an
/// empty array instead of parameters is an object. The check reads nothing beyond the bounds of the schema, so its cost is bounded by the
/// schema and not by what was sent.
enum ParamCheck {
    /// - Parameter params: nil if the request has none.
    /// - Returns: a JSON object.
    /// - Throws: ``RPCError`` −32602 for a member that is unknown, missing or wrong, at any depth.
    static func canonical(_ params: JSONNode?, _ schema: ObjectSchema) throws(RPCError) -> [UInt8] {
        var json: [UInt8] = []
        if params?.kind == .array {
            let isEmpty = params?.elements.first { _ in true } == nil
            guard isEmpty, !schema.properties.contains(where: \.isRequired) else { throw .positionalParams }
            try object([], schema, "", &json)
        } else {
            try object(params.map { Array($0.members.prefix(schema.properties.count + 1)) } ?? [], schema, "", &json)
        }
        return json
    }

    private typealias Member = (name: JSONNode, value: JSONNode)

    /// - Parameter members: at most one more than the schema has; then at least one is unknown.
    private static func object(
        _ members: [Member], _ schema: ObjectSchema, _ path: String, _ json: inout [UInt8]
    ) throws(RPCError) {
        func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
        var found: Set<String> = []
        json.append(UInt8(ascii: "{"))
        for member in members {
            guard let property = schema.properties.first(where: { member.name.isString($0.name) }) else {
                let name = place(RPCError.excerpt(member.name, 128))
                throw .invalidParams(
                    name,
                    "Unknown parameter \(RPCError.excerpt(name)). rpc.discover lists the parameters of each method.")
            }
            if !property.isRequired, member.value.isLiteral("null") { continue }
            if !found.isEmpty { json.append(UInt8(ascii: ",")) }
            found.insert(property.name)
            json.append(contentsOf: "\"\(property.name)\":".utf8)
            try value(member.value, property.schema, place(property.name), &json)
        }
        json.append(UInt8(ascii: "}"))
        for property in schema.properties where property.isRequired && !found.contains(property.name) {
            throw .invalidParams(place(property.name), "The parameter \(place(property.name)) is missing.")
        }
    }

    private static func value(
        _ node: JSONNode, _ schema: Schema, _ path: String, _ json: inout [UInt8]
    ) throws(RPCError) {
        switch schema {
        case .string(let rule):
            json.append(contentsOf: JSONText.quoted(try text(node, rule, path)).utf8)
        case .integer(let range):
            guard let value = node.integer, range.contains(value) else {
                throw wrong(
                    path,
                    range.upperBound < Schema.largestInteger
                        ? "an integer from \(range.lowerBound) to \(range.upperBound)"
                        : "an integer from \(range.lowerBound) on, below 2^53")
            }
            json.append(contentsOf: String(value).utf8)
        case .boolean:
            guard node.isLiteral("true") || node.isLiteral("false") else { throw wrong(path, "true or false") }
            json.append(contentsOf: node.bytes)
        case .array(let element, let most, let isSet):
            guard node.kind == .array else { throw wrong(path, "an array") }
            var before: Set<[UInt8]> = []
            json.append(UInt8(ascii: "["))
            for (index, each) in node.elements.prefix(most + 1).enumerated() {
                guard index < most else { throw wrong(path, "an array of up to \(most) elements") }
                if index > 0 { json.append(UInt8(ascii: ",")) }
                var own: [UInt8] = []
                try value(each, element, "\(path).\(index)", &own)
                guard before.insert(own).inserted || !isSet else {
                    throw wrong("\(path).\(index)", "an element that does not repeat an earlier one")
                }
                json.append(contentsOf: own)
            }
            json.append(UInt8(ascii: "]"))
        case .object(let object):
            try members(node, object, path, &json)
        case .component(let component):
            try members(node, component.schema, path, &json)
        case .optional(let wrapped):
            if node.isLiteral("null") { json.append(contentsOf: node.bytes) } else { try value(node, wrapped, path, &json) }
        }
    }

    private static func members(
        _ node: JSONNode, _ schema: ObjectSchema, _ path: String, _ json: inout [UInt8]
    ) throws(RPCError) {
        guard node.kind == .object else { throw wrong(path, "an object") }
        try object(Array(node.members.prefix(schema.properties.count + 1)), schema, path, &json)
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
