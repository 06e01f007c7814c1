/// The shape of a value on the wire: the part of JSON Schema that the protocol needs.
///
/// The service holds parameters to it before anything is done, so what it says is what is enforced.
public indirect enum Schema: Sendable, Hashable {
    /// Lengths are in Unicode code points, as in JSON Schema.
    case string(StringRule)
    case integer(ClosedRange<Int>)
    case boolean
    /// - Parameters:
    ///   - upTo: how many elements it may have.
    ///   - isSet: no element stands in it twice.
    case array(of: Schema, upTo: Int, isSet: Bool = false)
    case object(ObjectSchema)
    /// A value or null.
    case optional(Schema)
    /// One of the document's own, by its name.
    case component(Component)

    public struct StringRule: Sendable, Hashable {
        public enum Content: Sendable, Hashable {
            case any
            /// No NUL in it, which PostgreSQL does not take.
            case text
            case uuid
            /// See ``RFC3339``; what the service writes is in UTC, with milliseconds.
            case time
            /// Where a page of the audit trail ends: microseconds since 1970, `-`, and a number.
            case auditCursor
            /// Lower-case hexadecimal digits.
            case hexadecimal
            case base64
            case oneOf([String])
        }

        public var content: Content
        /// No string is without a bound: it costs memory and time before it can be told whether it is wanted.
        public var length: ClosedRange<Int>

        public init(_ content: Content, length: ClosedRange<Int>) {
            self.content = content
            self.length = length
        }
    }

    public struct Component: Sendable, Hashable {
        public let name: String
        public let schema: ObjectSchema
    }

    /// 2^53 − 1, the largest integer that every JSON reader takes exactly.
    public static let largestInteger = 9_007_199_254_740_991

    public static let count = Schema.integer(0...largestInteger)
    public static let uuid = Schema.string(StringRule(.uuid, length: 36...36))
    public static let time = Schema.string(StringRule(.time, length: RFC3339.length))
    public static let auditCursor = Schema.string(StringRule(.auditCursor, length: 3...37))
    public static let sha256 = Schema.string(StringRule(.hexadecimal, length: 64...64))
    /// Words of the service's own.
    public static let text = Schema.string(StringRule(.any, length: 0...4_096))

    /// What goes into the database: without NUL, and not longer than it has to be.
    public static func text(upTo longest: Int) -> Schema {
        .string(StringRule(.text, length: 1...longest))
    }

    public static func oneOf(_ values: [String]) -> Schema {
        let lengths = values.map(\.unicodeScalars.count)
        return .string(StringRule(.oneOf(values), length: (lengths.min() ?? 0)...(lengths.max() ?? 0)))
    }
}

/// The members of an object, in the order in which they are best read.
public struct ObjectSchema: Sendable, Hashable {
    public struct Property: Sendable, Hashable {
        public let name: String
        public let schema: Schema
        public let description: String
        public let isRequired: Bool
        public let defaultValue: JSONValue?

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

    public let properties: [Property]

    public init(_ properties: Property...) {
        self.properties = properties
    }

    public subscript(_ name: String) -> Property? {
        properties.first { $0.name == name }
    }
}
