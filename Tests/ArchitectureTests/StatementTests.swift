private import Foundation
import Testing

/// Checks that each SQL statement in the sources can use one plan for all values of its parameters.
@Suite struct StatementTests {
    /// A parameter in an SQL text, or an interpolation that produces one.
    private static let parameter = #"\$(?:[1-9]\d*|\\\([^()]*\))(?:::[a-z]+(?:\[\])?)?"#

    /// Conditions that a parameter switches on or off: a plan that is made once, for all values, can use no index for them.
    private static let switches = [
        parameter + #"\s+IS\s+(?:NOT\s+)?(?:NULL|TRUE|FALSE)\b"#,
        #"\b(?:coalesce|nullif)\s*\(\s*"# + parameter,
        #"\bCASE\s+(?:WHEN\s+)?(?:NOT\s+)?"# + parameter,
        #"\bOR\s+(?:NOT\s+)?"# + parameter,
        #"(?:\bWHERE|\bAND|\()\s*(?:NOT\s+)?"# + parameter + #"\s+OR\b"#,
        parameter + #"\s*(?:=|<>|!=)\s*(?:'[^']*'|\d+|true\b|false\b)"#,
        #"(?:'[^']*'|\btrue|\bfalse)\s*(?:=|<>|!=)\s*"# + parameter,
    ]

    private static func found(in text: String) throws -> [String] {
        try switches.flatMap { pattern in
            let expression = try NSRegularExpression(pattern: pattern, options: .caseInsensitive)
            return expression.matches(in: text, range: NSRange(text.startIndex..., in: text))
                .compactMap { Range($0.range, in: text).map { String(text[$0]) } }
        }
    }

    @Test("No statement has a condition that a parameter switches on or off")
    func sources() throws {
        var count = 0
        for file in try Repository.files(in: "Sources", withExtensions: ["swift", "sql"]) {
            count += 1
            let hits = try Self.found(in: file.text)
            #expect(hits.isEmpty, "\(file.path): make it a condition that is there or not: \(hits)")
        }
        #expect(count > 100)
    }

    @Test(
        "The lint finds each form of such a condition and accepts all other conditions",
        arguments: [
            ("WHERE ($1::uuid IS NULL OR id > $1::uuid)", true), ("WHERE ($12 is not null AND id > $12)", true),
            (#"WHERE $\(first)::text[] IS NULL OR slug = ANY ($\(first)::text[])"#, true),
            ("WHERE id > coalesce($1::uuid, id)", true), ("WHERE id = NULLIF($1, '')", true),
            ("WHERE CASE WHEN $1 = 'all' THEN true ELSE state = $1 END", true), ("WHERE $1 = '' OR state = $1", true),
            ("WHERE state = 'queued' OR $1::boolean", true), ("AND NOT $2::boolean OR x", true), ("WHERE 'all' = $1", true),
            ("WHERE id = $1::uuid AND deleted_at IS NULL", false),
            ("SELECT pg_advisory_xact_lock($1::bigint) IS NULL AS done", false),
            ("SET finished_at = coalesce(finished_at, $1)", false), ("WHERE state = $1 OR state = $2", false),
        ])
    func forms(_ sql: String, _ isSwitch: Bool) throws {
        #expect(try Self.found(in: sql).isEmpty != isSwitch, "\(sql)")
    }
}
