package import AdminExportAPI
private import Foundation

extension Schema {
    /// The differences between the value and the schema. A member that the schema does not name is a fault too, because the
    /// schema must describe everything that the service sends.
    package func faults(_ value: JSONValue, at path: String = "$") -> [String] {
        switch (self, value) {
        case (.string(let rule), .string(let text)): return rule.faults(text).map { "\(path): \($0)" }
        case (.integer(let range), .integer(let number)):
            return range.contains(number) ? [] : ["\(path): \(number) is not in \(range)"]
        case (.boolean, .boolean): return []
        case (.array(let element, let most, let isSet), .array(let values)):
            if values.count > most { return ["\(path): has more than \(most) elements"] }
            if isSet, Set(values).count < values.count { return ["\(path): has an element twice"] }
            return values.enumerated().flatMap { element.faults($1, at: "\(path)[\($0)]") }
        case (.object(let schema), _): return schema.faults(value, at: path)
        case (.component(let component), _): return component.schema.faults(value, at: path)
        case (.optional, .null): return []
        case (.optional(let schema), _): return schema.faults(value, at: path)
        default: return ["\(path): \(value) is of another type"]
        }
    }
}

extension Schema.StringRule {
    fileprivate func faults(_ text: String) -> [String] {
        var faults: [String] = []
        if !length.contains(text.unicodeScalars.count) { faults.append("\(text) is too short or too long") }
        let isRight =
            switch content {
            case .any: true
            case .text: !text.contains("\0")
            case .uuid: UUID(uuidString: text) != nil
            case .time: text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil
            case .auditCursor: text.wholeMatch(of: /\d{1,18}-\d{1,18}/) != nil
            case .hexadecimal: text.wholeMatch(of: /[0-9a-f]*/) != nil
            case .base64: Data(base64Encoded: text) != nil
            case .oneOf(let values): values.contains(text)
            }
        if !isRight { faults.append("\(text) is not \(content)") }
        return faults
    }
}

extension ObjectSchema {
    package func faults(_ value: JSONValue, at path: String = "$") -> [String] {
        guard case .object(let members) = value else { return ["\(path): is no object"] }
        // A schema without properties allows an object with any members.
        guard !properties.isEmpty else { return [] }
        var faults: [String] = []
        for (name, member) in members {
            if let property = self[name] {
                faults += property.schema.faults(member, at: "\(path).\(name)")
            } else {
                faults.append("\(path).\(name): is not in the schema")
            }
        }
        for property in properties where property.isRequired && members[property.name] == nil {
            faults.append("\(path).\(property.name): is missing")
        }
        return faults
    }
}
