/// The manuals' lists of keys, made from ``ConfigurationKey/all``.
enum ConfigurationReference {
    /// The table in README.md.
    static var markdown: String {
        let head = ["| key | variable `ADMINEXPORT_…` | values | default | meaning |", "|---|---|---|---|---|"]
        return
            (head
            + ConfigurationKey.all.map { key in
                let variable = key.isInFileOnly ? "–" : "`\(key.variable)`"
                return "| `\(key.name)` | \(variable) | \(key.values) | \(key.standard) | \(key.meaning)\(key.formerly) |"
            }).joined(separator: "\n") + "\n"
    }

    /// The list for adminexport.yaml(5) in mdoc(7), without the lists, which that page describes itself.
    static var mdoc: String {
        ConfigurationKey.all.filter { !$0.isInFileOnly }.map { key in
            let text = key.meaning + key.formerly + " Values: \(key.values). Default: \(key.standardText)."
            return ".It Cm \(key.name) Pq Ev ADMINEXPORT_\(key.variable)\n" + mdoc(text)
        }.joined()
    }

    /// For a terminal.
    static var text: String {
        ConfigurationKey.all.map { key in
            let facts = [
                key.isInFileOnly ? nil : "variable: ADMINEXPORT_\(key.variable)", "values: \(key.values)",
                "default: \(key.standard)", key.isReloaded ? "applied by a reload" : "applied by a restart",
            ].compactMap(\.self)
            return "\(key.name)\n    " + facts.joined(separator: "\n    ").filter { $0 != "`" } + "\n"
                + lines(of: key.meaning.filter { $0 != "`" }, upTo: 76).map { "    \($0)\n" }.joined()
        }.joined(separator: "\n")
    }

    /// Text with code between backquotes as lines of mdoc: a sentence begins a line, code is a macro of its own.
    private static func mdoc(_ text: String) -> String {
        var lines: [String] = []
        for sentence in text.replacing(/\. ([A-Z`])/, with: { ".\n\($0.1)" }).split(separator: "\n") {
            var rest = sentence
            while let code = rest.firstMatch(of: /`([^`]+)`([.,;:]?) ?/) {
                lines += Self.lines(of: String(rest[..<code.range.lowerBound]), upTo: 78)
                let name = String(code.1)
                let isKey = ConfigurationKey.named(name) != nil || !name.contains(/[.=]/)
                lines.append(".\(isKey ? "Cm" : "Li") \(name)\(code.2.isEmpty ? "" : " \(code.2)")")
                rest = rest[code.range.upperBound...]
            }
            lines += Self.lines(of: String(rest), upTo: 78)
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// Wraps words to lines of this number of bytes.
    private static func lines(of text: String, upTo width: Int) -> [String] {
        text.split(separator: " ").reduce(into: []) { lines, word in
            if let last = lines.last, last.utf8.count + word.utf8.count < width {
                lines[lines.count - 1] += " " + word
            } else {
                lines.append(String(word))
            }
        }
    }
}

extension ConfigurationKey {
    fileprivate var isInFileOnly: Bool { isList }

    fileprivate var values: String { Self.values(of: kind, in: ServiceConfiguration()) }

    fileprivate var formerly: String { former.map { " The former name `\($0.name)` still works." } ?? "" }

    /// Removes backquotes, except those of a key.
    fileprivate var standardText: String {
        if case .database = kind { standard } else { standard.filter { $0 != "`" } }
    }

    /// The default in words.
    fileprivate var standard: String {
        switch kind {
        case .database(_, let absent): absent
        case .callers: "root and the service's own user may do everything"
        case .attributes: "none"
        default: text(in: ServiceConfiguration()).map { "`\($0)`" } ?? "none"
        }
    }
}
