internal import Foundation

/// The options that the caller chose for an export.
package struct ExportOptions: Codable, Hashable, Sendable {
    /// Whether disabled administrators are included.
    package let includeDisabled: Bool
    /// Whether sheets with the tenant's profiles, groups and teams follow the data.
    package let includeReferences: Bool

    /// Options with these choices.
    package init(includeDisabled: Bool, includeReferences: Bool) {
        self.includeDisabled = includeDisabled
        self.includeReferences = includeReferences
    }

    /// The options as a JSON object. Equal options give equal text.
    package var json: String {
        get throws { String(decoding: try JSON.encode(self), as: UTF8.self) }
    }

    /// The four possible values, as PostgreSQL writes them. Each job that is read needs one.
    private static let known = Dictionary(
        uniqueKeysWithValues: [false, true].flatMap { disabled in
            [false, true].map { references in
                (
                    "{\"includeDisabled\": \(disabled), \"includeReferences\": \(references)}",
                    ExportOptions(includeDisabled: disabled, includeReferences: references)
                )
            }
        })

    /// Reads the options of a job's row.
    ///
    /// - Throws: `DecodingError`
    package init(json: String) throws {
        if let known = Self.known[json] {
            self = known
            return
        }
        self = try JSONDecoder().decode(ExportOptions.self, from: Data(json.utf8))
    }
}

enum JSON {
    /// JSON with sorted names: equal values give equal text.
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}

/// A kind of value that the export could not write unchanged.
package struct Warning: Codable, Hashable, Sendable {
    /// `text-truncated`, `text-replaced`, `date-as-text`, `unresolved-reference` or `group-hidden`.
    package let kind: String
    /// The number of cells, or of references for the last two.
    package let count: Int

    /// A number of values of a kind.
    package init(kind: String, count: Int) {
        self.kind = kind
        self.count = count
    }

    /// Reads the warnings of a job's row.
    ///
    /// - Throws: `DecodingError`
    package static func list(json: String) throws -> [Warning] {
        json == "[]" ? [] : try JSONDecoder().decode([Warning].self, from: Data(json.utf8))
    }
}
