internal import ExportAPI
internal import JSONRPC

/// Holds parameters to their schema before anything is done, and names the first that does not fit.
enum ParamCheck {
    /// - Parameter bytes: an object that the scanner has passed.
    /// - Throws: ``RPCError`` −32602 for a member that is not known, missing or wrong, at any depth.
    static func check(_ bytes: ArraySlice<UInt8>, _ schema: ObjectSchema, path: String = "") throws(RPCError) {
        guard case .object(let members) = try shape(bytes) else { throw wrong(path, "an object") }
        for member in members {
            let name = path.isEmpty ? member.name : "\(path).\(member.name)"
            guard let property = schema[member.name] else {
                throw .invalidParams(name, "There is no parameter \(RPCError.excerpt(name)).")
            }
            try check(bytes[member.value], property.schema, name)
        }
        for property in schema.properties where property.isRequired {
            guard !members.contains(where: { $0.name == property.name }) else { continue }
            let name = path.isEmpty ? property.name : "\(path).\(property.name)"
            throw .invalidParams(name, "The parameter \(name) is missing.")
        }
    }

    private static func check(_ bytes: ArraySlice<UInt8>, _ schema: Schema, _ path: String) throws(RPCError) {
        switch schema {
        case .string(let rule):
            guard let text = JSONScanner.string(bytes) else { throw wrong(path, "a string") }
            try check(text, rule, path)
        case .integer(let range):
            guard let value = Int(String(decoding: bytes, as: UTF8.self)), range.contains(value) else {
                throw wrong(
                    path,
                    range.upperBound < Schema.largestInteger
                        ? "an integer from \(range.lowerBound) to \(range.upperBound)"
                        : "an integer from \(range.lowerBound) on, below 2^53")
            }
        case .boolean:
            guard bytes.elementsEqual("true".utf8) || bytes.elementsEqual("false".utf8) else {
                throw wrong(path, "true or false")
            }
        case .array(let element):
            guard case .array(let elements) = try shape(bytes) else { throw wrong(path, "an array") }
            for (index, range) in elements.enumerated() { try check(bytes[range], element, "\(path).\(index)") }
        case .object(let object):
            try check(bytes, object, path: path)
        case .component(let component):
            try check(bytes, component.schema, path: path)
        case .optional(let wrapped):
            if !bytes.elementsEqual("null".utf8) { try check(bytes, wrapped, path) }
        }
    }

    private static func check(_ text: String, _ rule: Schema.StringRule, _ path: String) throws(RPCError) {
        // In scalars: characters as people count them have no limit of their own.
        guard rule.length.contains(text.unicodeScalars.count) else {
            throw wrong(path, "a string of \(rule.length.lowerBound) to \(rule.length.upperBound) characters")
        }
        switch rule.content {
        case .any, .time, .base64: break
        case .text:
            if text.unicodeScalars.contains("\0") { throw wrong(path, "a string without NUL") }
        case .uuid:
            guard isUUID(text) else { throw wrong(path, "an id that the service gave, a UUID") }
        case .oneOf(let values):
            guard values.contains(text) else { throw wrong(path, "one of \(values.joined(separator: ", "))") }
        }
    }

    private static func isUUID(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        return parts.map(\.count) == [8, 4, 4, 4, 12]
            && parts.joined().allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                    UInt8(ascii: "A")...UInt8(ascii: "F"):
                    true
                default: false
                }
            }
    }

    private static func shape(_ bytes: ArraySlice<UInt8>) throws(RPCError) -> JSONScanner.Shape {
        do {
            return try JSONScanner.scan(bytes, depth: .max)
        } catch {
            throw .parse(error)
        }
    }

    private static func wrong(_ path: String, _ expected: String) -> RPCError {
        .invalidParams(path, "The parameter \(RPCError.excerpt(path)) has to be \(expected).")
    }
}
