/// What a request wants of a file (RFC 9110, section 14).
enum ByteRange: Equatable {
    /// No range that is understood: the whole file.
    case whole
    case part(Range<Int>)
    /// Nothing of what is asked for is there (416).
    case unsatisfiable

    /// - Parameters:
    ///   - header: the field `Range`. Several ranges at once are answered with the whole file, which section 14.2 allows.
    ///   - ifRange: the field `If-Range`; only a strong tag that is the file's own makes the range count (section 13.1.5).
    init(_ header: String?, ifRange: String? = nil, tag: String, size: Int) {
        self = .whole
        guard let header, let match = header.wholeMatch(of: /bytes=(?<first>\d*)-(?<last>\d*)/) else { return }
        if let ifRange, ifRange != tag { return }
        // More digits than a number takes are more than any file has.
        switch (match.first.isEmpty, match.last.isEmpty) {
        case (true, true): return
        case (true, false):
            let length = Int(match.last) ?? .max
            self = length == 0 || size == 0 ? .unsatisfiable : .part(max(0, size - length)..<size)
        case (false, _):
            let first = Int(match.first) ?? .max
            let last = match.last.isEmpty ? .max : Int(match.last) ?? .max
            guard first <= last else { return }
            self = first < size ? .part(first..<min(size, last == .max ? size : last + 1)) : .unsatisfiable
        }
    }

    /// Whether `If-None-Match` names the tag (section 13.1.2; weak comparison).
    static func matches(_ header: String?, tag: String) -> Bool {
        guard let header else { return false }
        return header.split(separator: ",").contains { candidate in
            let candidate = candidate.drop { $0 == " " || $0 == "\t" }
            let strong = candidate.hasPrefix("W/") ? candidate.dropFirst(2) : candidate
            return strong == "*" || strong.prefix { $0 != " " } == tag
        }
    }
}
