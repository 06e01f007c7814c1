internal import Foundation

/// What the administrator chose when they asked.
package struct ExportOptions: Codable, Hashable, Sendable {
    /// Disabled administrators too.
    package let includeDisabled: Bool
    /// Sheets with the tenant's profiles, groups and teams after the data.
    package let includeReferences: Bool

    package init(includeDisabled: Bool, includeReferences: Bool) {
        self.includeDisabled = includeDisabled
        self.includeReferences = includeReferences
    }

    /// JSON with sorted names: equal options give equal text.
    package var json: String {
        get throws { String(decoding: try JSON.encoder.encode(self), as: UTF8.self) }
    }

    /// The four there are, as PostgreSQL spells them: to be asked for with each look at a job.
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
    static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }
}

/// Something that was not lost in silence.
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
