/// Text that is safe to write to a terminal: values from outside cannot control the terminal, hide, end a line or change the
/// direction of letters.
///
/// Only literals of this program are taken unchanged. Every interpolated value is escaped unless it is itself a `TerminalText`,
/// so no code can write a value of the service raw. A pure value.
///
/// ```swift
/// let line: TerminalText = "\u{1B}[1m\(job.tenant)\u{1B}[0m"    // the slug is escaped, the sequences around it are not
/// ```
package struct TerminalText: Sendable, Hashable {
    /// The text as it is written.
    package let string: String

    private init(trusted string: String) {
        self.string = string
    }

    fileprivate init(joining texts: [String], separator: String) {
        self.init(trusted: texts.joined(separator: separator))
    }

    /// Escapes a text from outside. Scalars that a terminal does not show as letters become `\n`, `\r`, `\t` or `\u{1b}`:
    /// controls (C0, C1, DEL), ends of lines and paragraphs, directional controls, characters without width, and a mark without
    /// a letter before it. A backslash is not escaped: `--json` shows the exact text.
    package init(escaping text: String) {
        var escaped = ""
        var needsEscape = false
        for (index, scalar) in text.unicodeScalars.enumerated() {
            // A mark at the start would combine with the character before this text.
            if Self.isHidden(scalar) || index == 0 && Self.isMark(scalar) {
                needsEscape = true
                escaped += Self.escape(scalar)
            } else {
                escaped.unicodeScalars.append(scalar)
            }
        }
        string = needsEscape ? escaped : text
    }

    /// Escapes a text of several lines from outside: line feeds end its lines, everything else is escaped.
    package init(lines text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { TerminalText(escaping: String($0)) }
        self = lines.joined(separator: "\n")
    }

    /// Escapes JSON that a program reads and a person may see: hidden characters become `\uXXXX` (RFC 8259, section 7), which
    /// means the same.
    ///
    /// - Parameter json: a valid text. So every escaped character is in a string, except for white space.
    package init(json: String) {
        var escaped = ""
        for scalar in json.unicodeScalars {
            switch scalar {
            case "\n": escaped.unicodeScalars.append(scalar)
            // White space between tokens. Within a string these characters are already escapes.
            case "\r", "\t": escaped += " "
            case _ where Self.isHidden(scalar):
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        self.init(trusted: escaped)
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        default: "\\u{\(String(scalar.value, radix: 16))}"
        }
    }

    /// Whether a terminal does not show the scalar as a letter.
    static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        // Most texts contain only ASCII, and reading a property costs more than printing.
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7F }
        let properties = scalar.properties
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: return true
        // A few format characters are shown: Arabic signs for numbers, years and verses come before the digits that they
        // enclose.
        case .format: return !isShownFormat(scalar)
        default: return properties.isDefaultIgnorableCodePoint
        }
    }

    /// `Prepended_Concatenation_Mark` (PropList.txt), which Swift's standard library does not provide.
    private static func isShownFormat(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x600...0x605, 0x6DD, 0x70F, 0x890...0x891, 0x8E2, 0x110BD, 0x110CD: true
        default: false
        }
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        guard !scalar.isASCII else { return false }
        return switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .spacingMark: true
        default: false
        }
    }

    /// Joins two texts.
    package static func + (left: TerminalText, right: TerminalText) -> TerminalText {
        TerminalText(trusted: left.string + right.string)
    }

    /// Appends a text.
    package static func += (left: inout TerminalText, right: TerminalText) {
        left = left + right
    }

    /// The longest prefix that fits this number of columns.
    package func prefix(columns: Int) -> TerminalText {
        var left = columns
        var kept = ""
        for scalar in string.unicodeScalars {
            left -= Self.width(scalar)
            if left < 0 { break }
            kept.unicodeScalars.append(scalar)
        }
        return TerminalText(trusted: kept)
    }

    /// A text several times; none if the count is negative.
    package init(repeating text: TerminalText, count: Int) {
        self.init(trusted: String(repeating: text.string, count: max(0, count)))
    }
}

// MARK: Literals and interpolation

// A literal is a StaticString, so no text that is made at run time can pass for one.
extension TerminalText: ExpressibleByStringInterpolation {
    /// A literal, unchanged.
    package init(stringLiteral value: StaticString) {
        self.init(trusted: value.description)
    }

    /// A literal with escaped values.
    package init(stringInterpolation: StringInterpolation) {
        self.init(trusted: stringInterpolation.string)
    }

    /// Collects the parts of an interpolated literal.
    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var string = ""

        /// Reserves memory for the parts.
        package init(literalCapacity: Int, interpolationCount: Int) {
            string.reserveCapacity(literalCapacity + interpolationCount * 16)
        }

        /// Appends a part of the literal, unchanged.
        package mutating func appendLiteral(_ literal: StaticString) {
            string += literal.description
        }

        /// Appends a safe text, unchanged.
        package mutating func appendInterpolation(_ text: TerminalText) {
            string += text.string
        }

        /// Appends a value, escaped.
        package mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            string += TerminalText(escaping: value.description).string
        }

        /// Appends the description of an error, escaped.
        package mutating func appendInterpolation(_ error: any Error) {
            string += TerminalText(escaping: String(describing: error)).string
        }
    }
}

extension Sequence<TerminalText> {
    /// Joins the texts with a separator between them.
    package func joined(separator: TerminalText = "") -> TerminalText {
        TerminalText(joining: map(\.string), separator: separator.string)
    }
}

extension TerminalText {
    /// Columns of the text on a terminal: two for a wide character, none for a combining mark, as wcwidth(3) counts them.
    package var width: Int {
        string.utf8.allSatisfy { $0 < 0x80 } ? string.utf8.count : string.unicodeScalars.reduce(0) { $0 + Self.width($1) }
    }

    /// The text with trailing spaces, so that it fills this number of columns.
    package func padded(to columns: Int) -> TerminalText {
        self + TerminalText(repeating: " ", count: columns - width)
    }

    static func width(_ scalar: Unicode.Scalar) -> Int {
        if scalar.isASCII { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        default: return isWide(scalar.value) ? 2 : 1
        }
    }

    private static func isWide(_ value: UInt32) -> Bool {
        var low = 0
        var high = wide.count
        while low < high {
            let middle = (low + high) / 2
            if wide[middle].upperBound < value { low = middle + 1 } else { high = middle }
        }
        return low < wide.count && wide[low].contains(value)
    }

    /// The wide and full-width characters of EastAsianWidth.txt, Unicode 16 (UAX #11), in order. Ranges also cover unassigned
    /// gaps.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x231A...0x231B, 0x2329...0x232A, 0x23E9...0x23EC, 0x23F0...0x23F0, 0x23F3...0x23F3,
        0x25FD...0x25FE, 0x2614...0x2615, 0x2630...0x2637, 0x2648...0x2653, 0x267F...0x267F, 0x268A...0x268F,
        0x2693...0x2693, 0x26A1...0x26A1, 0x26AA...0x26AB, 0x26BD...0x26BE, 0x26C4...0x26C5, 0x26CE...0x26CE,
        0x26D4...0x26D4, 0x26EA...0x26EA, 0x26F2...0x26F3, 0x26F5...0x26F5, 0x26FA...0x26FA, 0x26FD...0x26FD,
        0x2705...0x2705, 0x270A...0x270B, 0x2728...0x2728, 0x274C...0x274C, 0x274E...0x274E, 0x2753...0x2755,
        0x2757...0x2757, 0x2795...0x2797, 0x27B0...0x27B0, 0x27BF...0x27BF, 0x2B1B...0x2B1C, 0x2B50...0x2B50,
        0x2B55...0x2B55, 0x2E80...0x303E, 0x3041...0x3247, 0x3250...0xA4C6, 0xA960...0xA97C, 0xAC00...0xD7A3,
        0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6B, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x1B2FB,
        0x1D300...0x1D356, 0x1D360...0x1D376, 0x1F004...0x1F004, 0x1F0CF...0x1F0CF, 0x1F18E...0x1F18E,
        0x1F191...0x1F19A, 0x1F200...0x1F320, 0x1F32D...0x1F335, 0x1F337...0x1F37C, 0x1F37E...0x1F393,
        0x1F3A0...0x1F3CA, 0x1F3CF...0x1F3D3, 0x1F3E0...0x1F3F0, 0x1F3F4...0x1F3F4, 0x1F3F8...0x1F43E,
        0x1F440...0x1F440, 0x1F442...0x1F4FC, 0x1F4FF...0x1F53D, 0x1F54B...0x1F54E, 0x1F550...0x1F567,
        0x1F57A...0x1F57A, 0x1F595...0x1F596, 0x1F5A4...0x1F5A4, 0x1F5FB...0x1F64F, 0x1F680...0x1F6C5,
        0x1F6CC...0x1F6CC, 0x1F6D0...0x1F6D2, 0x1F6D5...0x1F6D7, 0x1F6DC...0x1F6DF, 0x1F6EB...0x1F6EC,
        0x1F6F4...0x1F6FC, 0x1F7E0...0x1F7EB, 0x1F7F0...0x1F7F0, 0x1F90C...0x1F93A, 0x1F93C...0x1F945,
        0x1F947...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x3FFFD,
    ]
}
