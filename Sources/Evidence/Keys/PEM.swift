/// One key in textual encoding (RFC 7468), with the lines before it, which the encoding leaves to people (section 2).
struct PEM {
    /// The lines before the key that have the form `Name: value`, by the name in lower case.
    let headers: [String: String]
    /// `PUBLIC KEY`, `PRIVATE KEY` or another word.
    let label: String
    /// The encoded key with its two boundaries.
    let block: String

    private static let begin = "-----BEGIN "
    private static let end = "-----END "
    private static let dashes = "-----"

    /// - Throws: ``EvidenceFault/Code/unusableKey`` if the text does not contain exactly one key.
    init(_ text: String) throws(EvidenceFault) {
        let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }.map { $0.trimmed }
        let starts = lines.indices.filter { lines[$0].hasPrefix(Self.begin) && lines[$0].hasSuffix(Self.dashes) }
        guard starts.count == 1, let first = starts.first else {
            throw EvidenceFault(
                .unusableKey, starts.isEmpty ? "it contains no key in PEM format" : "it contains more than one key")
        }
        label = String(lines[first].dropFirst(Self.begin.count).dropLast(Self.dashes.count))
        let boundary = "\(Self.end)\(label)\(Self.dashes)"
        guard let last = lines[first...].firstIndex(of: boundary[...]) else {
            throw EvidenceFault(.unusableKey, "the key is cut off: the line \"\(boundary)\" is missing")
        }
        block = lines[first...last].filter { !$0.isEmpty }.joined(separator: "\n")
        var headers: [String: String] = [:]
        for line in lines[..<first] {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon].trimmed.lowercased()
            guard headers.updateValue(String(line[line.index(after: colon)...].trimmed), forKey: name) == nil else {
                throw EvidenceFault(.unusableKey, "the line \"\(name)\" occurs twice")
            }
        }
        self.headers = headers
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
