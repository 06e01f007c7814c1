internal import AdminExportAPI
internal import AdminExportClient

/// The description of the service's methods (`rpc.discover`, an OpenRPC document).
struct Discovery {
    private let document: JSONValue

    init(_ client: Client) async throws {
        document = try await client.call(RPCDiscover.self, NoMembers()).document
    }

    private func list(_ value: JSONValue?) -> [JSONValue] {
        if case .array(let elements)? = value { elements } else { [] }
    }

    private func text(_ value: JSONValue?) -> String {
        if case .string(let text)? = value { text } else { "" }
    }

    /// Names and summaries of methods and notifications.
    var methods: [(name: String, summary: String)] {
        (list(document["methods"]) + list(document["x-notifications"])).map {
            (text($0["name"]), text($0["summary"]))
        }
    }

    /// A method or a notification of the document; nil if there is none with the name.
    func method(_ name: String) -> JSONValue? {
        (list(document["methods"]) + list(document["x-notifications"])).first { $0["name"] == .string(name) }
    }

    /// The description as lines of text.
    func lines(describing method: JSONValue) throws -> [String] {
        guard let direction = method["x-direction"] else { return try lines(method) }
        let route = direction == "to-caller" ? "the service to the caller" : "the caller to the service"
        return ["\(text(method["name"])): a notification from \(route)", text(method["summary"])]
            + section("Parameters", list(method["params"]).map(param))
    }

    private func lines(_ method: JSONValue) throws -> [String] {
        let summary = text(method["summary"])
        let details = text(method["description"])
        var lines = ["\(text(method["name"])): \(summary)"]
        if details != summary { lines.append(details) }
        if method["x-batch"] == false { lines.append("It is not allowed in a batch.") }
        if method["x-descriptors"] == 1 { lines.append("One descriptor comes with the result.") }
        lines += section("Parameters", list(method["params"]).map(param))
        lines += section("Result", members(method["result"]?["schema"]))
        lines += section("Errors", list(method["errors"]).map(error))
        for example in list(method["examples"]) {
            var params: [String: JSONValue] = [:]
            for param in list(example["params"]) { params[text(param["name"])] = param["value"] }
            lines += [
                "", "Example: \(text(example["name"]))",
                "  adminexport call \(text(method["name"])) '\(try Output.line(JSONValue.object(params)).string)'",
            ]
        }
        return lines
    }

    private func section(_ title: String, _ lines: [String]) -> [String] {
        lines.isEmpty ? [] : ["", title] + lines.map { "  \($0)" }
    }

    private func param(_ param: JSONValue) -> String {
        let schema = resolved(param["schema"])
        // null means that the parameter is omitted, which "optional" already expresses.
        let kind = alternatives(schema).filter { $0["type"] != "null" }.map { self.kind(resolved($0)) }.joined(
            separator: " or ")
        let need = param["required"] == true ? "required" : defaultValue(param["schema"]) ?? "optional"
        return "\(text(param["name"])) (\(kind), \(need)): \(text(param["description"]))"
    }

    private func defaultValue(_ schema: JSONValue?) -> String? {
        switch schema?["default"] {
        case .integer(let value): "default \(value)"
        case .boolean(let value): "default \(value)"
        case .string(let value): "default \(value)"
        default: nil
        }
    }

    private func members(_ schema: JSONValue?) -> [String] {
        guard case .object(let properties)? = resolved(schema)?["properties"] else { return [] }
        return properties.sorted { $0.key < $1.key }.map { name, schema in
            "\(name) (\(kind(resolved(schema)))): \(text(schema["description"]))"
        }
    }

    /// The alternatives, one of which a value must match.
    private func alternatives(_ schema: JSONValue?) -> [JSONValue] {
        schema?["oneOf"] != nil ? list(schema?["oneOf"]) : [schema ?? .null]
    }

    /// The type of a schema in a few words.
    private func kind(_ schema: JSONValue?) -> String {
        if schema?["oneOf"] != nil { return alternatives(schema).map { kind(resolved($0)) }.joined(separator: " or ") }
        let values = list(schema?["enum"])
        if !values.isEmpty { return values.map { text($0) }.joined(separator: ", ") }
        switch schema?["type"] {
        case "integer":
            guard case .integer(let min)? = schema?["minimum"], case .integer(let max)? = schema?["maximum"] else {
                return "integer"
            }
            return "integer from \(min) to \(max)"
        case "array": return "array of \(kind(resolved(schema?["items"])))"
        case "object":
            guard case .object(let properties)? = schema?["properties"], !properties.isEmpty else { return "object" }
            return properties.count > 4 ? "object" : "object of \(properties.keys.sorted().joined(separator: ", "))"
        default:
            let format = text(schema?["format"])
            return format.isEmpty ? text(schema?["type"]) : format
        }
    }

    /// The schema that a reference names; otherwise the schema itself.
    private func resolved(_ schema: JSONValue?) -> JSONValue? {
        let reference = text(schema?["$ref"] ?? list(schema?["allOf"]).first?["$ref"])
        guard let name = reference.split(separator: "/").last else { return schema }
        return document["components"]?["schemas"]?[String(name)]
    }

    private func error(_ error: JSONValue) -> String {
        let name = text(error["$ref"]).split(separator: "/").last.map(String.init) ?? ""
        let body = document["components"]?["errors"]?[name]
        guard case .integer(let code)? = body?["code"] else { return name }
        return "\(code) \(name): \(text(body?["message"]))"
    }
}
