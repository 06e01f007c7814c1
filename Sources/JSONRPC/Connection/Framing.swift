/// Ways to divide messages that JSON-RPC libraries have, and that are not ours. None of them can begin a line of JSON.
package enum Framing: String, Sendable {
    /// Header lines before a message, as the Language Server Protocol and HTTP have them.
    case headers
    /// `12:{"a":"b"},`
    case netstring
    /// A zero byte before or behind each message.
    case nul
    /// The length of each message in four bytes before it.
    case lengthPrefix = "length-prefix"
    /// The byte 1E before each message (RFC 7464).
    case recordSeparator = "record-separator"

    /// As many bytes as tell a framing that is told by how a line begins.
    private static let longestStart = 16
    private static let firstWords: [[UInt8]] = [
        "content-length:", "content-type:", "post /", "get /", "put /", "head /", "delete /", "options ", "connect ",
    ].map { Array($0.utf8) }

    /// Looks at a line that has not ended.
    ///
    /// - Parameters:
    ///   - seen: so many of its bytes have been looked at before.
    ///   - zero: the place of the first zero byte in it.
    init?(of line: [UInt8], from seen: Int, zero: Int?) {
        let start = line.prefix(Self.longestStart)
        let isStart = seen < Self.longestStart
        if isStart, let framing = Self.framing(start: start) {
            self = framing
            return
        }
        // Once two bytes behind the zero have been looked at it is known to be no divider: a divider ends the search.
        let isDivided: Bool? =
            if let zero, zero + 2 >= seen { Self.isDivided(line, at: zero) } else { false }
        if isDivided == true {
            self = .nul
        } else if isStart, isDivided == false, start.count > 4, start.prefix(4).contains(0), Self.isBracket(start[4]) {
            self = .lengthPrefix
        } else {
            return nil
        }
    }

    private static func framing(start: ArraySlice<UInt8>) -> Framing? {
        guard let first = start.first else { return nil }
        switch first {
        case 0x1E:
            return .recordSeparator
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            let rest = start.drop { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard rest.first == UInt8(ascii: ":"), isBracket(rest.dropFirst().first) else { break }
            return .netstring
        default:
            // This bit makes an ASCII letter lower case.
            let small = start.map { $0 | 0x20 }
            if firstWords.contains(where: { small.starts(with: $0) }) { return .headers }
        }
        return nil
    }

    private static func isBracket(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") }

    /// Whether a zero byte stands where a message begins, or where one can have ended. Elsewhere it is a fault of JSON, and so is
    /// UTF-16, in which every other byte is one.
    ///
    /// - Returns: nil where that cannot be told yet.
    private static func isDivided(_ line: [UInt8], at zero: Int) -> Bool? {
        switch line[..<zero].last(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) {
        case UInt8(ascii: "}"), UInt8(ascii: "]"): true
        case nil: zero + 2 < line.count ? line[zero + 1] == 0 || line[zero + 2] != 0 : nil
        default: false
        }
    }
}

/// What a peer is told whose messages are not lines: once, and not for each line that is none of a message. The next whole request
/// is served as if nothing had been.
///
/// A pure value.
struct FramingAdvice: Sendable {
    enum Verdict: Equatable {
        /// The line is to be treated as any other.
        case serve
        case tell
        case ignore
    }

    private enum State {
        /// Nothing has been told.
        case none
        case misframed
        /// Within a message of several lines, in so many brackets.
        case within(Int)
    }

    private var state = State.none

    /// Whether the peer has been told, and has sent no whole request since.
    var isGiven: Bool { if case .none = state { false } else { true } }

    /// The peer divides its messages in some other way, or has not ended its last one.
    ///
    /// - Returns: whether to tell it.
    mutating func misframed() -> Bool {
        defer { state = .misframed }
        return !isGiven
    }

    /// - Parameter isRequest: whether the line is a whole request. Asked only where ``isGiven``.
    mutating func line(_ line: [UInt8], isRequest: Bool) -> Verdict {
        switch state {
        case .none:
            guard Self.isLoneBracket(line) else { return .serve }
            state = .within(1)
            return .tell
        case .misframed:
            guard isRequest else { return .ignore }
        case .within(let depth):
            guard isRequest else {
                let left = depth + Self.brackets(line)
                state = left > 0 ? .within(left) : .none
                return .ignore
            }
        }
        state = .none
        return .serve
    }

    private static func isLoneBracket(_ line: [UInt8]) -> Bool {
        var words = line.lazy.filter { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }.makeIterator()
        guard let first = words.next(), words.next() == nil else { return false }
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    }

    /// How many more brackets the line opens than it closes. A string of JSON does not go over the end of a line.
    private static func brackets(_ line: [UInt8]) -> Int {
        var count = 0
        var isInString = false
        var isEscaped = false
        for byte in line {
            if isInString {
                isInString = isEscaped || byte != UInt8(ascii: "\"")
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): count += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): count -= 1
            default: break
            }
        }
        return count
    }
}

extension RPCError {
    static let noLineEnd = invalidRequest(
        "A message ends with a newline (\\n), but this one does not and was not run. Send each message as one line, followed by a newline."
    )

    static func misframed(_ framing: Framing) -> RPCError {
        RPCError(
            -32600, "invalid-request",
            "A message is one line of JSON and ends with a newline (\\n). Send it with nothing before it and nothing else behind it: no header, no length, no NUL.",
            details: [("framing", .text(framing.rawValue))])
    }

    static func severalLines(offset: Int) -> RPCError {
        RPCError(
            -32700, "parse-error",
            "A message is one line of JSON, but this line is a single bracket. The lines up to the end of the message are ignored. Send the message without line breaks.",
            details: [("offset", .number(offset))])
    }
}
