internal import Foundation

/// What the administrator chose for an export.
package struct ExportOptions: Codable, Hashable, Sendable {
    /// Whether disabled administrators are included.
    package let includeDisabled: Bool
    /// Whether sheets with the tenant's profiles, groups and teams follow the data.
    package let includeReferences: Bool

    package init(includeDisabled: Bool, includeReferences: Bool) {
        self.includeDisabled = includeDisabled
        self.includeReferences = includeReferences
    }

    /// Equal options give equal text.
    package var json: String {
        get throws { String(decoding: try JSON.encode(self), as: UTF8.self) }
    }

    /// The four values, as PostgreSQL spells them. Each read of a job needs one.
    private static let known = Dictionary(
        uniqueKeysWithValues: [false, true].flatMap { disabled in
            [false, true].map { references in
                (
                    "{\"includeDisabled\": \(disabled), \"includeReferences\": \(references)}",
                    ExportOptions(includeDisabled: disabled, includeReferences: references)
                )
            }
        })

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

/// A change of the data that the workbook needed, with the number of cells or links.
package struct Warning: Codable, Hashable, Sendable {
    /// `text-truncated`, `text-replaced`, `date-as-text` or `unresolved-reference`.
    package let kind: String
    package let count: Int

    package init(kind: String, count: Int) {
        self.kind = kind
        self.count = count
    }

    package static func list(json: String) throws -> [Warning] {
        json == "[]" ? [] : try JSONDecoder().decode([Warning].self, from: Data(json.utf8))
    }
}
