/// A statement with its name and its parameters.
///
/// The text contains words of the program only; data goes into parameters. The name appears in errors and logs.
package struct Query: Sendable {
    /// The name, for errors and logs.
    package let name: String
    /// One SQL statement, with `$1`, `$2`, … for the parameters.
    package let sql: String
    /// The values for `$1`, `$2`, …, in this order.
    package let parameters: [Parameter]

    /// A statement with a name and parameters.
    package init(_ name: String, _ sql: String, _ parameters: [Parameter] = []) {
        self.name = name
        self.sql = sql
        self.parameters = parameters
    }

    /// Checks that no text contains a NUL character.
    ///
    /// - Throws: ``PostgresError`` with SQLSTATE 22021 for a text with a NUL character.
    func checkTexts() throws(PostgresError) {
        for case .text(let text) in parameters where text.utf8.contains(0) {
            throw PostgresError(
                .statement, "PostgreSQL does not accept a NUL character in a text", sqlState: "22021", query: name)
        }
    }

    /// One value for `$1`, `$2`, …, sent in PostgreSQL's text format and typed by the statement (`$1::uuid`).
    package enum Parameter: Sendable {
        /// SQL NULL.
        case null
        /// A value in PostgreSQL's text format.
        case text(String)
        /// A `bytea` value.
        case bytes([UInt8])
    }
}

extension Query.Parameter: ExpressibleByStringLiteral, ExpressibleByNilLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral
{
    /// A text.
    package init(stringLiteral value: String) { self = .text(value) }
    /// SQL NULL.
    package init(nilLiteral: ()) { self = .null }
    /// An integer.
    package init(integerLiteral value: Int) { self = .text(String(value)) }
    /// A boolean.
    package init(booleanLiteral value: Bool) { self = .text(value ? "t" : "f") }

    /// An integer.
    package static func integer(_ value: some BinaryInteger) -> Self { .text(String(value)) }
    /// A boolean.
    package static func bool(_ value: Bool) -> Self { .text(value ? "t" : "f") }
    /// A text; SQL NULL for nil.
    package static func text(_ value: String?) -> Self { value.map(Self.text) ?? .null }
    /// An interval, in whole milliseconds, for `$1::interval`.
    package static func interval(_ duration: Duration) -> Self {
        .text(
            "\(duration.components.seconds * 1_000 + duration.components.attoseconds / 1_000_000_000_000_000) milliseconds")
    }
    /// A text array, for `$1::text[]` and casts from it.
    package static func texts(_ values: [String]) -> Self {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "\""))
            // By bytes: a quote followed by a combining mark is another Character, but still a quote for PostgreSQL.
            for byte in value.utf8 {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
                bytes.append(byte)
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: "}"))
        return .text(String(decoding: bytes, as: UTF8.self))
    }
}
