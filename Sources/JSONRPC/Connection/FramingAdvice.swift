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
