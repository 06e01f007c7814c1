/// Checks that a text is strict JSON (RFC 8259, I-JSON RFC 7493), before any decoder reads it, and records the positions of its
/// values.
///
/// In addition to syntax errors, it refuses: nesting beyond the limit, a name twice in one object (compared by code points
/// after unescaping), a lone surrogate, bytes that are not UTF-8, a byte order mark, an integer beyond ±(2^53 − 1), a number
/// that rounds to infinity, and more values than allowed. The scan is a loop with a stack of its own, so no text makes it
/// recurse. It reads each byte twice, the first time to validate UTF-8. Names are also hashed, and some numbers are read again.
package struct JSONScanner {
    private enum Expected {
        case value, valueOrEnd, nameOrEnd, name, colon, commaOrEnd, end
    }

    private struct Container {
        let token: Int
        let isObject: Bool
    }

    /// A name of an object, as a hash. A caller cannot construct collisions, because each process has its own seed.
    private struct NameKey: Hashable {
        let object: Int
        let hash: Int
    }

    /// The default limit of values in a text. A batch of the largest requests has about 1,500.
    package static let maxValues = 4_096

    private let depth: Int
    private let maxValues: Int
    private var values = 0
    private var at = 0
    private var stack: [Container] = []
    private var expected = Expected.value
    /// The offset of the first byte that is not UTF-8; the end of the text if there is none.
    private var illFormed = 0
    private var tokens: [JSONDocument.Token] = []
    /// The index of the token of each name.
    private var names: [NameKey: Int] = [:]

    static func scan(_ text: Span<UInt8>, depth: Int, values: Int) throws(JSONFault) -> [JSONDocument.Token] {
        var scanner = JSONScanner(depth: depth, values: values)
        try scanner.run(text)
        return scanner.tokens
    }

    private init(depth: Int, values: Int) {
        self.depth = depth
        maxValues = values
    }

    private func fault(_ reason: String) -> JSONFault {
        JSONFault(offset: at, reason: reason)
    }

    private mutating func run(_ text: Span<UInt8>) throws(JSONFault) {
        if text.count >= 3, text[0] == 0xEF, text[1] == 0xBB, text[2] == 0xBF {
            throw fault("the text starts with a byte order mark; remove it")
        }
        illFormed = Self.firstIllFormed(text)
        while true {
            skipSpace(text)
            guard at < text.count else {
                guard expected == .end else { throw fault("the text ends too early") }
                return
            }
            let byte = text[at]
            switch expected {
            case .value:
                try value(byte, text)
            case .valueOrEnd:
                if byte == UInt8(ascii: "]") { close() } else { try value(byte, text) }
            case .nameOrEnd:
                if byte == UInt8(ascii: "}") { close() } else { try name(byte, text) }
            case .name:
                try name(byte, text)
            case .colon:
                guard byte == UInt8(ascii: ":") else { throw fault("a colon is missing") }
                at += 1
                expected = .value
            case .commaOrEnd:
                try commaOrEnd(byte)
            case .end:
                throw fault("the text continues after the value")
            }
        }
    }

    private static func firstIllFormed(_ text: Span<UInt8>) -> Int {
        do {
            _ = try UTF8Span(validating: text)
            return text.count
        } catch {
            return error.byteOffsets.lowerBound
        }
    }

    private mutating func skipSpace(_ text: Span<UInt8>) {
        var here = at
        while here < text.count {
            switch text[here] {
            case 0x20, 0x09, 0x0A, 0x0D: here += 1
            default:
                at = here
                return
            }
        }
        at = here
    }

    // MARK: Structure

    private mutating func value(_ byte: UInt8, _ text: Span<UInt8>) throws(JSONFault) {
        let start = at
        values += 1
        guard values <= maxValues else { throw fault("there are more than \(maxValues) values") }
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard stack.count < depth else { throw fault("arrays and objects nest deeper than \(depth)") }
            let isObject = byte == UInt8(ascii: "{")
            stack.append(Container(token: tokens.count, isObject: isObject))
            at += 1
            append(isObject ? .object : .array, start)
            expected = isObject ? .nameOrEnd : .valueOrEnd
            return
        case UInt8(ascii: "\""):
            append(.string, start, isEscaped: try string(text))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try number(text)
            append(.number, start)
        case UInt8(ascii: "t"): try literal("true", text)
        case UInt8(ascii: "f"): try literal("false", text)
        case UInt8(ascii: "n"): try literal("null", text)
        default: throw fault("a value is missing")
        }
        ended()
    }

    private mutating func append(_ kind: JSONDocument.Kind, _ start: Int, isEscaped: Bool = false) {
        tokens.append(.init(kind: kind, isEscaped: isEscaped, start: start, end: at, next: tokens.count + 1))
    }

    private mutating func literal(_ word: String, _ text: Span<UInt8>) throws(JSONFault) {
        let start = at
        var end = at
        for byte in word.utf8 {
            guard end < text.count, text[end] == byte else { throw fault("a value is missing") }
            end += 1
        }
        at = end
        append(.literal, start)
    }

    private mutating func ended() {
        expected = stack.isEmpty ? .end : .commaOrEnd
    }

    private mutating func commaOrEnd(_ byte: UInt8) throws(JSONFault) {
        let isObject = stack[stack.count - 1].isObject
        switch byte {
        case UInt8(ascii: ","):
            at += 1
            expected = isObject ? .name : .value
        case UInt8(ascii: "}") where isObject, UInt8(ascii: "]") where !isObject:
            close()
        default:
            throw fault("a comma or the end of the \(isObject ? "object" : "array") is missing")
        }
    }

    private mutating func close() {
        at += 1
        let token = stack.removeLast().token
        tokens[token].end = at
        tokens[token].next = tokens.count
        ended()
    }

    private mutating func name(_ byte: UInt8, _ text: Span<UInt8>) throws(JSONFault) {
        guard byte == UInt8(ascii: "\"") else { throw fault("a name in quotes is missing") }
        let start = at
        let isEscaped = try string(text)
        let key = NameKey(object: stack[stack.count - 1].token, hash: Self.hash(text, (start + 1)..<(at - 1), isEscaped))
        if let other = names.updateValue(tokens.count, forKey: key),
            Self.areEqual(text, inside(tokens[other]), (start + 1)..<(at - 1))
        {
            at = start
            throw fault("an object has the same name twice")
        }
        append(.string, start, isEscaped: isEscaped)
        expected = .colon
    }

    private func inside(_ token: JSONDocument.Token) -> Range<Int> {
        (token.start + 1)..<(token.end - 1)
    }

    private static func hash(_ text: Span<UInt8>, _ inside: Range<Int>, _ isEscaped: Bool) -> Int {
        var hasher = Hasher()
        // SAFETY: the hasher reads the bytes during the call.
        if isEscaped {
            unsafe unescaped(text.extracting(inside)).withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        } else {
            unsafe text.extracting(inside).withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        }
        return hasher.finalize()
    }

    /// The beginning of a scanned string, unescaped, in UTF-8.
    ///
    /// - Parameters:
    ///   - inside: the string without its quotes.
    ///   - count: the maximum number of scalars. Nothing after them is read.
    static func unescaped(_ inside: Span<UInt8>, upTo count: Int = .max) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count < inside.count ? min(inside.count, 4 * count) : inside.count)
        var left = count
        var here = 0
        while here < inside.count {
            let byte = inside[here]
            // Each scalar is counted at its first byte.
            if byte & 0xC0 != 0x80 {
                guard left > 0 else { break }
                left -= 1
            }
            if byte == UInt8(ascii: "\\") {
                append(escaped(inside, &here), to: &result)
            } else {
                result.append(byte)
                here += 1
            }
        }
        return result
    }

    /// Returns the scalar of an escape that has been scanned, and moves after the escape.
    private static func escaped(_ text: Span<UInt8>, _ here: inout Int) -> UInt32 {
        let byte = text[here + 1]
        guard byte == UInt8(ascii: "u") else {
            here += 2
            switch byte {
            case UInt8(ascii: "b"): return 0x08
            case UInt8(ascii: "f"): return 0x0C
            case UInt8(ascii: "n"): return 0x0A
            case UInt8(ascii: "r"): return 0x0D
            case UInt8(ascii: "t"): return 0x09
            default: return UInt32(byte)
            }
        }
        let first = hexadecimal(text, here + 2) ?? 0
        here += 6
        guard first & 0xF800 == 0xD800 else { return first }
        defer { here += 6 }
        return 0x10000 + (first & 0x3FF) << 10 + (hexadecimal(text, here + 2) ?? 0) & 0x3FF
    }

    private static func append(_ scalar: UInt32, to utf8: inout [UInt8]) {
        if scalar < 0x80 { return utf8.append(UInt8(truncatingIfNeeded: scalar)) }
        var lead: UInt32 = 0xC0
        if scalar >= 0x10000 {
            lead = 0xF0
        } else if scalar >= 0x800 {
            lead = 0xE0
        }
        var shift: UInt32 = lead == 0xF0 ? 18 : lead == 0xE0 ? 12 : 6
        utf8.append(UInt8(truncatingIfNeeded: lead | scalar >> shift))
        while shift > 0 {
            shift -= 6
            utf8.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> shift & 0x3F))
        }
    }

    /// Compares UTF-8, because `==` of `String` accepts names that other programs distinguish.
    private static func areEqual(_ text: Span<UInt8>, _ first: Range<Int>, _ second: Range<Int>) -> Bool {
        unescaped(text.extracting(first)) == unescaped(text.extracting(second))
    }

    // MARK: Strings

    /// Moves to the end of a string.
    ///
    /// - Returns: whether the string has escapes.
    private mutating func string(_ text: Span<UInt8>) throws(JSONFault) -> Bool {
        var isEscaped = false
        var here = at + 1
        while here < text.count {
            let byte = text[here]
            switch byte {
            case UInt8(ascii: "\""):
                at = here + 1
                return isEscaped
            case UInt8(ascii: "\\"):
                isEscaped = true
                at = here
                try escape(text)
                here = at
            case 0..<0x20:
                at = here
                throw fault("a string contains a control character; write it as an escape")
            case 0x20..<0x80:
                here += 1
            default:
                guard here < illFormed else {
                    at = here
                    throw fault("a byte is not UTF-8")
                }
                here += 1
            }
        }
        at = here
        throw fault("a string does not end")
    }

    private mutating func escape(_ text: Span<UInt8>) throws(JSONFault) {
        guard at + 1 < text.count else { throw fault("a string does not end") }
        switch text[at + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            at += 2
        case UInt8(ascii: "u"):
            let start = at
            let first = try hexadecimal(text)
            guard (0xD800...0xDFFF).contains(first) else { return }
            let isPair =
                first < 0xDC00 && at + 1 < text.count && text[at] == UInt8(ascii: "\\") && text[at + 1] == UInt8(ascii: "u")
            if isPair, (0xDC00...0xDFFF).contains(try hexadecimal(text)) { return }
            at = start
            throw fault("a \\u escape is a surrogate without its pair")
        default:
            throw fault("a string contains an unknown escape")
        }
    }

    /// Reads an escape `\uXXXX`.
    private mutating func hexadecimal(_ text: Span<UInt8>) throws(JSONFault) -> UInt32 {
        guard let value = Self.hexadecimal(text, at + 2) else {
            throw fault("a \\u escape does not have four hexadecimal digits")
        }
        at += 6
        return value
    }

    /// Reads four digits.
    private static func hexadecimal(_ text: Span<UInt8>, _ start: Int) -> UInt32? {
        guard start + 4 <= text.count else { return nil }
        var value: UInt32 = 0
        var here = start
        while here < start + 4 {
            guard let digit = digit(text[here]) else { return nil }
            value = value << 4 | UInt32(digit)
            here += 1
        }
        return value
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    // MARK: Numbers

    private mutating func number(_ text: Span<UInt8>) throws(JSONFault) {
        let start = at
        if text[at] == UInt8(ascii: "-") { at += 1 }
        let first = at
        let whole = skipDigits(text)
        guard whole > 0 else { throw fault("a number has no digits") }
        guard whole == 1 || text[first] != UInt8(ascii: "0") else {
            at = start
            throw fault("a number begins with an extra 0")
        }
        var isWhole = true
        var exponent = 0
        if at < text.count, text[at] == UInt8(ascii: ".") {
            isWhole = false
            at += 1
            guard skipDigits(text) > 0 else { throw fault("a number has no digits after the point") }
        }
        if at < text.count, text[at] | 0x20 == UInt8(ascii: "e") {
            isWhole = false
            at += 1
            if at < text.count, text[at] == UInt8(ascii: "+") || text[at] == UInt8(ascii: "-") { at += 1 }
            exponent = skipDigits(text)
            guard exponent > 0 else { throw fault("a number has no digits in its exponent") }
        }
        // Most numbers are short enough to be within all bounds.
        guard whole > (isWhole ? 15 : 200) || exponent > 2 else { return }
        let number = JSONNumber(text.extracting(start..<at))
        if isWhole, number.integer == nil {
            at = start
            throw fault("an integer exceeds 2^53 - 1; send it as a string")
        }
        guard number.isFinite else {
            at = start
            throw fault("a number exceeds the range of a double")
        }
    }

    /// - Returns: the number of digits.
    private mutating func skipDigits(_ text: Span<UInt8>) -> Int {
        let start = at
        while at < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[at]) { at += 1 }
        return at - start
    }
}
