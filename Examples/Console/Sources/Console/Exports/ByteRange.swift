/// The part of a file that a request asks for (RFC 9110, section 14).
enum ByteRange: Equatable {
    /// The whole file, because the request has no valid range.
    case whole
    case part(Range<Int>)
    /// The file has no byte of the range (416).
    case unsatisfiable

    /// - Parameters:
    ///   - header: the field `Range`. For several ranges, the answer is the whole file, which section 14.2 allows.
    ///   - ifRange: the field `If-Range`; the range applies only if this is the strong tag of the file (section 13.1.5).
    init(_ header: String?, ifRange: String? = nil, tag: String, size: Int) {
        self = .whole
        guard let header, let match = header.wholeMatch(of: /bytes=(?<first>\d*)-(?<last>\d*)/) else { return }
        if let ifRange, ifRange != tag { return }
        // A number with too many digits is larger than any file.
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
