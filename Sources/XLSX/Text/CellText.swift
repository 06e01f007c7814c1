/// Escapes text for XML so that Excel, LibreOffice and other readers return the same string.
///
/// The rules and their reasons:
/// - `& < >` become entities. Quotes need no entity in element text.
/// - U+0000–U+001F other than tab and line feed, and U+FFFE and U+FFFF, are not XML characters; they are written as
///   `_xHHHH_` (ECMA-376 Part 1, 22.9.2.19 `ST_Xstring`). Raw, they make Excel drop the part.
/// - A reader would take a literal `_xHHHH_` in the text for such an escape, so its first underscore is written `_x005F_`. The
///   same applies to one to three digits, which LibreOffice takes for an escape if they name a control character.
/// - CR LF and CR become LF: a cell has only line feeds, and XML parsers normalize CR anyway (XML 1.0, 2.11).
/// - A cell holds 32,767 UTF-16 units. A longer text is truncated, never between two surrogates.
/// - Bytes that are not UTF-8 become U+FFFD, one for each maximal ill-formed part (Unicode 3.9, table 3-8).
package enum CellText {
    /// Excel's limit, in UTF-16 code units after unescaping.
    package static let limit = 32_767

    /// What was changed so that the text fits a cell.
    package struct Faults: OptionSet, Sendable {
        /// The set as bits.
        package let rawValue: UInt8
        /// The text was truncated at ``CellText/limit``.
        package static let truncated = Faults(rawValue: 1)
        /// Bytes that were not UTF-8 became U+FFFD.
        package static let replaced = Faults(rawValue: 2)

        /// A set from its bits.
        package init(rawValue: UInt8) {
            self.rawValue = rawValue
        }
    }

    /// Copies the bytes, and returns whether XML can contain them unchanged: ASCII from the space on, without `& < > _`.
    ///
    /// One pass reads and copies eight bytes at a time; the last two words overlap, so few bytes are handled one by one.
    ///
    /// SAFETY: the target has room for as many bytes as the source. Each branch reads and writes only offsets below the count.
    @inline(__always)
    static func copyIfPlain(_ source: Span<UInt8>, to target: UnsafeMutableRawPointer) -> Bool {
        let count = source.count
        let source = unsafe source.bytes
        @inline(__always) func load<Word: BitwiseCopyable>(_ at: Int, as type: Word.Type) -> Word {
            unsafe source.unsafeLoadUnaligned(fromUncheckedByteOffset: at, as: type)
        }
        @inline(__always) func move(_ at: Int) -> UInt64 {
            let word = load(at, as: UInt64.self)
            unsafe target.storeBytes(of: word, toByteOffset: at, as: UInt64.self)
            return specialBytes(word)
        }
        var found: UInt64 = 0
        if count >= 8 {
            var at = 0
            while at &+ 8 < count {
                found |= move(at)
                at &+= 8
            }
            found |= move(count &- 8)
        } else if count >= 4 {
            let first = load(0, as: UInt32.self)
            let last = load(count &- 4, as: UInt32.self)
            unsafe target.storeBytes(of: first, as: UInt32.self)
            unsafe target.storeBytes(of: last, toByteOffset: count &- 4, as: UInt32.self)
            found = specialBytes(UInt64(first) | UInt64(last) << 32)
        } else {
            for at in 0..<count {
                let byte = load(at, as: UInt8.self)
                unsafe target.storeBytes(of: byte, toByteOffset: at, as: UInt8.self)
                found |= specialBytes(0x2020_2020_2020_2000 | UInt64(byte))
            }
        }
        return found == 0
    }

    /// Not 0 if one of eight bytes is a control character, is not ASCII, or is one of `& < > _`.
    ///
    /// In each sum, the highest bit of a byte is clear if the byte is the one that is searched for; in the first sum, if it is
    /// below the space. Only bytes that are not ASCII cause carries, and `| word` finds those. `<` and `>` differ in one bit
    /// and share a test.
    @inline(__always)
    private static func specialBytes(_ word: UInt64) -> UInt64 {
        let most: UInt64 = 0x7F7F_7F7F_7F7F_7F7F
        let printable = word &+ 0x6060_6060_6060_6060
        let angles = ((word | 0x0202_0202_0202_0202) ^ 0x3E3E_3E3E_3E3E_3E3E) &+ most
        let ampersands = (word ^ 0x2626_2626_2626_2626) &+ most
        let underscores = (word ^ 0x5F5F_5F5F_5F5F_5F5F) &+ most
        return (~(printable & angles & ampersands & underscores) | word) & 0x8080_8080_8080_8080
    }

    /// Whether a reader would strip the ends without `xml:space="preserve"`.
    ///
    /// A text that may be truncated counts as well, because its last character is not known yet.
    @inline(__always)
    package static func needsSpacePreserved(_ text: Span<UInt8>) -> Bool {
        guard !text.isEmpty else { return false }
        return isSpace(text[0]) || isSpace(text[text.count &- 1]) || text.count > limit
    }

    @inline(__always)
    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (byte >= 0x09 && byte <= 0x0D)
    }

    /// Appends the escaped text, and returns what was changed.
    @inline(__always)
    package static func append(_ text: Span<UInt8>, to output: OutputBuffer) -> Faults {
        if text.count <= limit {
            output.reserve(text.count)
            // SAFETY: the room is reserved.
            if unsafe copyIfPlain(text, to: output.end) {
                unsafe output.advance(to: output.end + text.count)
                return []
            }
        }
        return appendWithCare(text, to: output)
    }

    @inline(never)
    static func appendWithCare(_ text: Span<UInt8>, to output: OutputBuffer) -> Faults {
        var faults: Faults = []
        var units = 0
        var at = 0
        let count = text.count
        while at < count {
            let byte = text[at]
            if byte < 0x80 {
                if at &+ 8 <= count, units &+ 8 <= limit {
                    output.reserve(8)
                    // SAFETY: the room is reserved.
                    if unsafe copyIfPlain(text.extracting(at..<(at &+ 8)), to: output.end) {
                        unsafe output.advance(to: output.end + 8)
                        units &+= 8
                        at &+= 8
                        continue
                    }
                }
                guard units < limit else { return faults.union(.truncated) }
                units += 1
                at += appendASCII(byte, at: at, of: text, to: output)
                continue
            }
            let scalar = UTF8Scalar(at: at, in: text)
            let width = scalar.utf16Width
            guard units + width <= limit else { return faults.union(.truncated) }
            units += width
            switch scalar.value {
            case UTF8Scalar.illFormed:
                output.append(literal: "\u{FFFD}")
                faults.insert(.replaced)
            case 0xFFFE, 0xFFFF:
                appendEscape(scalar.value, to: output)
            default:
                output.append(text.extracting(at..<(at + scalar.length)))
            }
            at += scalar.length
        }
        return faults
    }

    /// Writes one ASCII character, and returns the number of bytes of the text that it stands for.
    private static func appendASCII(
        _ byte: UInt8, at: Int, of text: Span<UInt8>, to output: OutputBuffer
    ) -> Int {
        switch byte {
        case UInt8(ascii: "&"):
            output.append(literal: "&amp;")
        case UInt8(ascii: "<"):
            output.append(literal: "&lt;")
        case UInt8(ascii: ">"):
            output.append(literal: "&gt;")
        case UInt8(ascii: "_") where isEscapeBody(at: at + 1, in: text):
            appendEscape(UInt32(byte), to: output)
        case 0x0D:
            output.append(0x0A)
            return at + 1 < text.count && text[at + 1] == 0x0A ? 2 : 1
        case 0x09, 0x0A:
            output.append(byte)
        case 0..<0x20:
            appendEscape(UInt32(byte), to: output)
        default:
            output.append(byte)
        }
        return 1
    }

    /// Writes `_xHHHH_`.
    private static func appendEscape(_ unit: UInt32, to output: OutputBuffer) {
        output.append(literal: "_x")
        for shift in [12, 8, 4, 0] as [UInt32] {
            let digit = UInt8(unit >> shift & 15)
            output.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") - 10 + digit)
        }
        output.append(UInt8(ascii: "_"))
    }

    /// Whether the character at this position is itself written as `_xHHHH_`, whose underscore would end an escape before it.
    private static func isEscaped(at: Int, in text: Span<UInt8>) -> Bool {
        switch text[at] {
        case 0x09, 0x0A, 0x0D: false
        case 0..<0x20: true
        case 0xEF: UTF8Scalar(at: at, in: text).value | 1 == 0xFFFF
        default: false
        }
    }

    /// Whether `x`, one to four hexadecimal digits and `_` follow, so that an underscore before them makes an escape. The `x`
    /// and the digits count in either case: some readers unescape `_X000d_`, too.
    private static func isEscapeBody(at: Int, in text: Span<UInt8>) -> Bool {
        guard at < text.count, text[at] | 0x20 == UInt8(ascii: "x") else { return false }
        var end = at + 1
        while end < text.count, end - at <= 4, isHexadecimal(text[end]) { end += 1 }
        return end > at + 1 && end < text.count && (text[end] == UInt8(ascii: "_") || isEscaped(at: end, in: text))
    }

    static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }
}
