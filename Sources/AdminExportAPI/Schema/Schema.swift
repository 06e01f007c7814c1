/// The type of a value on the wire: the part of JSON Schema that the protocol needs.
///
/// The service checks parameters against it before it does anything, so the description is what the service enforces.
public indirect enum Schema: Sendable, Hashable {
    /// A string. Lengths are in Unicode code points, as in JSON Schema.
    case string(StringRule)
    /// An integer in this range.
    case integer(ClosedRange<Int>)
    /// `true` or `false`.
    case boolean
    /// An array.
    ///
    /// - Parameters:
    ///   - upTo: the largest number of elements.
    ///   - isSet: whether all elements have to differ.
    case array(of: Schema, upTo: Int, isSet: Bool = false)
    /// An object with these members.
    case object(ObjectSchema)
    /// A value or null.
    case optional(Schema)
    /// A named schema of the document.
    case component(Component)

    /// What a string may contain, and how long it may be.
    public struct StringRule: Sendable, Hashable {
        /// What a string may contain.
        public enum Content: Sendable, Hashable {
            /// Any characters.
            case any
            /// Any characters except NUL, which PostgreSQL refuses.
            case text
            /// A UUID with hyphens, in upper or lower case.
            case uuid
            /// A time as in RFC 3339. The service writes UTC with milliseconds.
            case time
            /// A cursor of the audit trail: microseconds since 1970, `-`, and the number of the event.
            case auditCursor
            /// Lower-case hexadecimal digits.
            case hexadecimal
            /// Base64 with padding (RFC 4648, section 4).
            case base64
            /// One of these strings.
            case oneOf([String])
        }

        /// What the string may contain.
        public var content: Content
        /// The length in Unicode code points. Every string has a bound, since it costs memory and time before it is checked.
        public var length: ClosedRange<Int>

        /// A rule for content and length.
        public init(_ content: Content, length: ClosedRange<Int>) {
            self.content = content
            self.length = length
        }
    }

    /// A schema that stands in the document once, under a name.
    public struct Component: Sendable, Hashable {
        /// The name in `components/schemas`.
        public let name: String
        /// The members of the object.
        public let schema: ObjectSchema
    }

    /// 2^53 − 1, the largest integer that every JSON reader represents exactly.
    public static let largestInteger = 9_007_199_254_740_991

    /// An integer from 0 to ``largestInteger``.
    public static let count = Schema.integer(0...largestInteger)
    /// A UUID with hyphens.
    public static let uuid = Schema.string(StringRule(.uuid, length: 36...36))
    /// A time as in RFC 3339.
    public static let time = Schema.string(StringRule(.time, length: RFC3339.length))
    /// A cursor of ``AuditList``.
    public static let auditCursor = Schema.string(StringRule(.auditCursor, length: 3...37))
    /// 64 hexadecimal digits.
    public static let sha256 = Schema.string(StringRule(.hexadecimal, length: 64...64))
    /// Text of up to 4,096 code points that the service writes.
    public static let text = Schema.string(StringRule(.any, length: 0...4_096))

    /// Text for the database: 1 to so many code points, without NUL.
    public static func text(upTo longest: Int) -> Schema {
        .string(StringRule(.text, length: 1...longest))
    }

    /// One of these strings.
    public static func oneOf(_ values: [String]) -> Schema {
        let lengths = values.map(\.unicodeScalars.count)
        return .string(StringRule(.oneOf(values), length: (lengths.min() ?? 0)...(lengths.max() ?? 0)))
    }
}

/// The members of an object, in the order in which they are best read.
public struct ObjectSchema: Sendable, Hashable {
    /// One member of an object.
    public struct Property: Sendable, Hashable {
        /// The name of the member.
        public let name: String
        /// The type of its value.
        public let schema: Schema
        /// What the member means, for people.
        public let description: String
        /// Whether the member has to be there.
        public let isRequired: Bool
        /// The value that an absent member means; nil if there is none.
        public let defaultValue: JSONValue?

        /// A member. One with a default is not required.
        public init(
            _ name: String, _ schema: Schema, _ description: String, required: Bool = true,
            default defaultValue: JSONValue? = nil
        ) {
            self.name = name
            self.schema = schema
            self.description = description
            isRequired = required && defaultValue == nil
            self.defaultValue = defaultValue
        }
    }

    /// The members.
    public let properties: [Property]

    /// An object with these members.
    public init(_ properties: Property...) {
        self.properties = properties
    }

    init(_ properties: [Property]) {
        self.properties = properties
    }

    /// The member with a name; nil if there is none.
    public subscript(_ name: String) -> Property? {
        properties.first { $0.name == name }
    }
}

extension Schema {
    /// As JSON Schema, draft 7, which OpenRPC uses.
    ///
    /// - Parameter closed: whether objects may have no further members. True for what callers send; what they receive may get
    ///   more.
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
    /// The schema with its description. JSON Schema ignores members beside a reference, so a reference is in an `allOf`.
    ///
    /// In what callers send, null means that a member is left out. What they receive has null only if the schema says so.
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
