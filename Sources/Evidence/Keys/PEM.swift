/// One key in textual encoding (RFC 7468), with the lines around it, which the encoding leaves to people (section 2).
struct PEM {
    /// The value of the line `Status: …` outside of the key, in lower case; nil if there is none.
    let status: String?
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
        guard label.utf8.count <= 40 else { throw EvidenceFault(.unusableKey, "it contains no key in PEM format") }
        let boundary = "\(Self.end)\(label)\(Self.dashes)"
        guard let last = lines[first...].firstIndex(of: boundary[...]) else {
            throw EvidenceFault(.unusableKey, "the key is cut off: the line \"\(boundary)\" is missing")
        }
        block = lines[first...last].filter { !$0.isEmpty }.joined(separator: "\n")
        status = try Self.status(before: lines[..<first], after: lines[(last + 1)...])
    }

    /// The value of the line `Status`. Any other line that seems to be about the status is a fault: if it was ignored, a key that somebody
    /// has revoked would count.
    private static func status(
        before: ArraySlice<Substring>, after: ArraySlice<Substring>
    ) throws(EvidenceFault) -> String? {
        var status: String?
        for line in before + after {
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmed.lowercased() }
            if parts.count == 2, parts[0] == "status" {
                guard status == nil else { throw EvidenceFault(.unusableKey, "the line Status occurs twice") }
                status = parts[1]
            } else if words.contains(where: line.lowercased().contains) {
                throw EvidenceFault(
                    .unusableKey,
                    "the line \"\(line.prefix(80))\" may be about the status; write Status: active, Status: retired or Status: revoked"
                )
            }
        }
        return status
    }

    private static let words = ["status", "revoke", "retire"]

    /// The text of a file with another line `Status`, which is added before the key if there is none.
    static func text(_ text: String, withStatus status: String) -> String {
        var lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
        let isStatus = { (line: Substring) in
            line.split(separator: ":", maxSplits: 1).first?.trimmed.lowercased() == "status"
        }
        if let index = lines.firstIndex(where: isStatus) {
            lines[index] = "Status: \(status)"
        } else {
            lines.insert("Status: \(status)", at: lines.firstIndex { $0.trimmed.hasPrefix(begin) } ?? 0)
        }
        return lines.joined(separator: "\n")
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
