private import XLSX
private import XLSXTestSupport

/// Any bytes as the text of a cell give well-formed XML, which a reader decodes as the rules say.
enum EscaperCase {
    static func run(_ input: [UInt8]) {
        let output = OutputBuffer(capacity: 16)
        let faults = CellText.append(input.span, to: output)
        let escaped = output.withBytes { $0.withUnsafeBufferPointer { Array($0) } }
        guard let text = String(validating: escaped, as: UTF8.self) else { fail("the output is not UTF-8") }
        let scalars = Array(text.unicodeScalars)
        if let wrong = scalars.first(where: { !isText($0) }) {
            fail("U+\(String(wrong.value, radix: 16)) is not a character of XML text")
        }
        let expected = NastyText.expected(input)
        let got = unescaped(withoutEntities(escaped))
        guard got.unicodeScalars.elementsEqual(expected.unicodeScalars) else { fail(NastyText.difference(got, expected)) }
        let isIllFormed = String(validating: input, as: UTF8.self) == nil
        if faults.contains(.replaced), !isIllFormed { fail("well-formed text was counted as replaced") }
        if isIllFormed, !faults.contains(.replaced), !faults.contains(.truncated) { fail("a replaced text was not counted") }
        if input.count <= CellText.limit, faults.contains(.truncated) { fail("a text that fits was cut") }
        if expected.utf16.count < CellText.limit - 1, faults.contains(.truncated) { fail("a text was cut early") }
    }

    /// XML 1.0, 2.2 `Char` and 2.4: the characters that an element's text may contain unescaped.
    private static func isText(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "\t", "\n": true
        case "\u{0}"..<"\u{20}", "\u{FFFE}", "\u{FFFF}", "<", ">": false
        default: true
        }
    }

    /// Works on bytes, because a mark that combines with a semicolon must not hide it.
    private static func withoutEntities(_ text: [UInt8]) -> String {
        var result: [UInt8] = []
        var rest = text[...]
        while let byte = rest.first {
            let entity = [("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")].first { rest.starts(with: $0.0.utf8) }
            result += entity.map { Array($0.1.utf8) } ?? [byte]
            if byte == UInt8(ascii: "&"), entity == nil { fail("an ampersand is not escaped") }
            rest = rest.dropFirst(entity?.0.utf8.count ?? 1)
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Decodes `_xHHHH_` from left to right (ECMA-376 Part 1, 22.9.2.19).
    static func unescaped(_ text: String) -> String {
        var units: [UInt16] = []
        var rest = Array(text.utf16)[...]
        while let unit = rest.first {
            if let escape = escape(rest) {
                units.append(escape)
                rest = rest.dropFirst(7)
            } else {
                units.append(unit)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: units, as: UTF16.self)
    }

    private static func escape(_ units: ArraySlice<UInt16>) -> UInt16? {
        let head = Array(units.prefix(7))
        guard head.count == 7, head[0] == 0x5F, head[1] == 0x78, head[6] == 0x5F else { return nil }
        let digits = String(decoding: head[2...5], as: UTF16.self)
        guard digits.allSatisfy(\.isHexDigit) else { return nil }
        return UInt16(digits, radix: 16)
    }
}
