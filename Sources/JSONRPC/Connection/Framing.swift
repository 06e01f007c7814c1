/// Framings that other JSON-RPC programs use and that this service does not accept. A line that is JSON shows none of them.
package enum Framing: String, Sendable {
    /// Header lines before a message, as in the Language Server Protocol and HTTP.
    case headers
    /// `12:{"a":"b"},`
    case netstring
    /// A zero byte before or after each message.
    case nul
    /// The length of each message in four bytes before it.
    case lengthPrefix = "length-prefix"
    /// The byte 1E before each message (RFC 7464).
    case recordSeparator = "record-separator"

    /// The number of first bytes of a line that are enough to recognize a framing by the beginning of the line.
    private static let longestStart = 16
    private static let firstWords: [[UInt8]] = [
        "content-length:", "content-type:", "post /", "get /", "put /", "head /", "delete /", "options ", "connect ",
    ].map { Array($0.utf8) }

    /// Recognizes the framing of a line that may not have ended yet. Fails if the line shows none.
    ///
    /// - Parameters:
    ///   - seen: the number of bytes that earlier calls have examined.
    ///   - zero: the index of the first zero byte in the line.
    init?(of line: [UInt8], from seen: Int, zero: Int?) {
        let start = line.prefix(Self.longestStart)
        let isStart = seen < Self.longestStart
        if isStart, let framing = Self.framing(start: start) {
            self = framing
            return
        }
        // When two bytes after the zero byte have been examined, it is known not to separate messages, or an earlier call would
        // have returned it.
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
            // This bit turns an ASCII letter into lower case.
            let small = start.map { $0 | 0x20 }
            if firstWords.contains(where: { small.starts(with: $0) }) { return .headers }
        }
        return nil
    }

    private static func isBracket(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") }

    /// Whether the zero byte separates messages: it is where a message begins or can have ended. Elsewhere it is a syntax
    /// error of JSON. So is UTF-16, in which every second byte of ASCII text is zero.
    ///
    /// - Returns: nil if further bytes are needed to decide.
    private static func isDivided(_ line: [UInt8], at zero: Int) -> Bool? {
        switch line[..<zero].last(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) {
        case UInt8(ascii: "}"), UInt8(ascii: "]"): true
        case nil: zero + 2 < line.count ? line[zero + 1] == 0 || line[zero + 2] != 0 : nil
        default: false
        }
    }
}

/// Decides what to tell a peer whose messages are not lines. A pure value.
///
/// The peer gets one error, instead of one for each line that is not a message. Lines are ignored until the next line that is a
/// whole request, or until the end of the message that was spread over several lines.
struct FramingAdvice: Sendable {
    enum Verdict: Equatable {
        /// Handle the line as usual.
        case serve
        /// Send the error about messages of several lines.
        case tell
        /// Send nothing.
        case ignore
    }

    private enum State {
        /// The peer has not been told anything.
        case none
        /// The peer has been told that it uses another framing, or did not end a line.
        case misframed
        /// Within a message of several lines, with this many open brackets.
        case within(Int)
    }

    private var state = State.none

    /// Whether the peer has been told, and lines may have to be ignored.
    var isGiven: Bool { if case .none = state { false } else { true } }

    /// The peer uses another framing, or did not end its last line.
    ///
    /// - Returns: whether to tell it.
    mutating func misframed() -> Bool {
        defer { state = .misframed }
        return !isGiven
    }

    /// Decides about a line.
    ///
    /// - Parameter isRequest: whether the line is a whole request. Used only if ``isGiven``.
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

    /// How many more brackets the line opens than it closes. A JSON string cannot contain the end of a line.
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
        "Each message ends with a newline (\\n). The last one has none, so it was not processed. Send each message as one line, followed by a newline."
    )

    static func misframed(_ framing: Framing) -> RPCError {
        RPCError(
            -32600, "invalid-request",
            "Each message is one line of JSON and ends with a newline (\\n). The input has another framing. Send only the JSON and the newline, without a header, a length or a NUL byte.",
            details: [("framing", .text(framing.rawValue))])
    }

    static func severalLines(offset: Int) -> RPCError {
        RPCError(
            -32700, "parse-error",
            "Each message is one line of JSON, but this line is a single bracket. The service ignores the lines up to the end of the message. Send the message without line breaks.",
            details: [("offset", .number(offset))])
    }
}
