internal import Foundation

/// The options that the caller chose for an export.
package struct ExportOptions: Codable, Hashable, Sendable {
    /// Whether disabled administrators are included.
    package let includeDisabled: Bool
    /// Whether sheets with the tenant's profiles, groups and teams follow the data.
    package let includeReferences: Bool

    /// Whether a sheet about the export comes last.
    package let includeAbout: Bool

    /// Options with these choices.
    package init(includeDisabled: Bool, includeReferences: Bool, includeAbout: Bool = false) {
        self.includeDisabled = includeDisabled
        self.includeReferences = includeReferences
        self.includeAbout = includeAbout
    }

    /// Options of an earlier version lack the options that it did not have.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        includeDisabled = try container.decode(Bool.self, forKey: .includeDisabled)
        includeReferences = try container.decode(Bool.self, forKey: .includeReferences)
        includeAbout = try container.decodeIfPresent(Bool.self, forKey: .includeAbout) ?? false
    }

    /// Leaves out an option that an earlier version did not have, if it is false: an idempotency key still finds that version's job.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(includeDisabled, forKey: .includeDisabled)
        try container.encode(includeReferences, forKey: .includeReferences)
        if includeAbout { try container.encode(true, forKey: .includeAbout) }
    }

    private enum CodingKeys: String, CodingKey {
        case includeDisabled, includeReferences, includeAbout
    }

    /// The options of a request as a JSON object, to which an idempotency key is bound. Without `includeAbout`, it is the text to which earlier
    /// versions bound their keys.
    package static func request(
        includeDisabled: Bool, includeReferences: Bool, includeAbout: Bool?
    ) throws -> String {
        var members = ["includeDisabled": includeDisabled, "includeReferences": includeReferences]
        members["includeAbout"] = includeAbout
        return String(decoding: try JSON.encode(members), as: UTF8.self)
    }

    /// The options as a JSON object. Equal options give equal text.
    package var json: String {
        get throws { String(decoding: try JSON.encode(self), as: UTF8.self) }
    }

    /// The possible values, as PostgreSQL writes them. Each job that is read needs one.
    private static let known = Dictionary(
        uniqueKeysWithValues: (0..<8).map { bits in
            let options = ExportOptions(
                includeDisabled: bits & 1 != 0, includeReferences: bits & 2 != 0, includeAbout: bits & 4 != 0)
            let about = options.includeAbout ? "\"includeAbout\": true, " : ""
            return (
                "{\(about)\"includeDisabled\": \(options.includeDisabled), \"includeReferences\": \(options.includeReferences)}",
                options
            )
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

    /// What the warning means, for people.
    var meaning: String {
        switch kind {
        case "text-truncated": "texts were cut, because a cell holds at most 32,767 UTF-16 units"
        case "text-replaced": "texts had bytes that are not UTF-8, which became U+FFFD"
        case "date-as-text": "dates are outside Excel's calendar (1900-03-01 to 9999-12-31) and were written as text"
        case "unresolved-reference":
            "references to a profile, group or team that the tenant does not have were left out"
        case "group-hidden": "references to groups outside the scope were left out"
        default: kind
        }
    }

    /// Reads the warnings of a job's row.
    ///
    /// - Throws: `DecodingError`
    package static func list(json: String) throws -> [Warning] {
        json == "[]" ? [] : try JSONDecoder().decode([Warning].self, from: Data(json.utf8))
    }
}
