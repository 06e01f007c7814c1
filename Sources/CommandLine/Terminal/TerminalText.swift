/// Text that may be written to a terminal: what it was given from elsewhere can neither control the terminal nor hide, end a line or turn
/// letters around.
///
/// Only literals of this program come in as they are. Every value that is interpolated is escaped, unless it is such a text itself, so there
/// is no way to write a value of the service raw. A pure value.
///
/// ```swift
/// let line: TerminalText = "\u{1B}[1m\(job.tenant)\u{1B}[0m"    // the slug is escaped, the sequences around it are not
/// ```
package struct TerminalText: Sendable, Hashable {
    /// What is written.
    package let string: String

    private init(trusted string: String) {
        self.string = string
    }

    /// A text from elsewhere. Scalars that are not shown as what they are stand as `\n`, `\r`, `\t` or `\u{1b}`: controls (C0, C1,
    /// DEL), ends of lines and paragraphs, directional controls, what has no width and what no letter stands before. A backslash stays
    /// one: the exact text is what `--json` is for.
    package init(escaping text: String) {
        var escaped = ""
        var needsEscape = false
        for (index, scalar) in text.unicodeScalars.enumerated() {
            // A mark at the start would sit on what stands before this text.
            if Self.isHidden(scalar) || index == 0 && Self.isMark(scalar) {
                needsEscape = true
                escaped += Self.escape(scalar)
            } else {
                escaped.unicodeScalars.append(scalar)
            }
        }
        string = needsEscape ? escaped : text
    }

    /// A text of several lines from elsewhere: line feeds end its lines, everything else is escaped.
    package init(lines text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { TerminalText(escaping: String($0)) }
        self = lines.joined(separator: "\n")
    }

    /// JSON that a program reads and a person may see: what would be hidden stands as `\uXXXX` (RFC 8259, section 7), which says the same.
    ///
    /// - Parameter json: a valid text; so whatever is escaped stands within a string, except for white space.
    package init(json: String) {
        var escaped = ""
        for scalar in json.unicodeScalars {
            switch scalar {
            case "\n": escaped.unicodeScalars.append(scalar)
            // White space between tokens; within a string they are escapes already.
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

    /// Whether a terminal takes the scalar for something else than a letter to show.
    static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        // Most texts have nothing else, and looking a property up costs more than printing.
        if scalar.isASCII { return scalar.value < 0x20 || scalar.value == 0x7F }
        let properties = scalar.properties
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: return true
        // Of the format characters a few are shown: Arabic signs for numbers, years and verses stand before the digits that they embrace.
        case .format: return !isShownFormat(scalar)
        default: return properties.isDefaultIgnorableCodePoint
        }
    }

    /// `Prepended_Concatenation_Mark` (PropList.txt), which Swift's standard library does not have.
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

    package static func + (left: TerminalText, right: TerminalText) -> TerminalText {
        TerminalText(trusted: left.string + right.string)
    }

    package static func += (left: inout TerminalText, right: TerminalText) {
        left = left + right
    }

    /// As much of its start as has room in so many columns.
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

    package init(repeating text: TerminalText, count: Int) {
        self.init(trusted: String(repeating: text.string, count: max(0, count)))
    }
}

// MARK: Literals and interpolation

// A literal is a StaticString: no text that is made while the program runs can pass for one.
extension TerminalText: ExpressibleByStringInterpolation {
    package init(stringLiteral value: StaticString) {
        self.init(trusted: value.description)
    }

    package init(stringInterpolation: StringInterpolation) {
        self.init(trusted: stringInterpolation.string)
    }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var string = ""

        package init(literalCapacity: Int, interpolationCount: Int) {
            string.reserveCapacity(literalCapacity + interpolationCount * 16)
        }

        package mutating func appendLiteral(_ literal: StaticString) {
            string += literal.description
        }

        package mutating func appendInterpolation(_ text: TerminalText) {
            string += text.string
        }

        package mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            string += TerminalText(escaping: value.description).string
        }

        package mutating func appendInterpolation(_ error: any Error) {
            string += TerminalText(escaping: String(describing: error)).string
        }
    }
}

extension Sequence<TerminalText> {
    package func joined(separator: TerminalText = "") -> TerminalText {
        var result: TerminalText = ""
        for (index, text) in enumerated() { result += index == 0 ? text : separator + text }
        return result
    }
}
