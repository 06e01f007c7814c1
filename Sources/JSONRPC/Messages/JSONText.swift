/// JSON text that is written by hand: error objects and envelopes.
package enum JSONText {
    /// Escapes what JSON wants escaped, and U+2028 and U+2029, at which some cut lines.
    package static func quoted(_ text: String) -> String {
        // Most texts have nothing to escape.
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            return "\"\(text)\""
        }
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// The bytes of a text without the white space between its values.
    static func compactLength(_ json: ArraySlice<UInt8>) -> Int {
        // Nobody gains by a few spaces.
        guard json.count > 512 else { return json.count }
        var length = 0
        var isInString = false
        var isEscaped = false
        for byte in json {
            if isInString {
                length += 1
                isInString = isEscaped || byte != UInt8(ascii: "\"")
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
            } else if byte > 0x20 {
                length += 1
                isInString = byte == UInt8(ascii: "\"")
            }
        }
        return length
    }

    /// A line of JSON with its end, in which U+2028 and U+2029 are escaped; in JSON they stand in strings only.
    static func line(_ json: consuming [UInt8]) -> [UInt8] {
        // In place, where nobody else has the array: a large reply is not to be there twice.
        if let escaped = withoutLineSeparators(json) { json = escaped }
        json.append(UInt8(ascii: "\n"))
        return json
    }

    /// - Returns: nil where there are none.
    private static func withoutLineSeparators(_ json: [UInt8]) -> [UInt8]? {
        // Both begin with E2 80: most results have neither, and are passed on as they are.
        var result: [UInt8] = []
        var copied = 0
        var at = 0
        while let lead = json[at...].firstIndex(of: 0xE2) {
            at = lead + 1
            guard lead + 2 < json.count, json[lead + 1] == 0x80, json[lead + 2] == 0xA8 || json[lead + 2] == 0xA9 else {
                continue
            }
            result += json[copied..<lead]
            result += Array((json[lead + 2] == 0xA8 ? "\\u2028" : "\\u2029").utf8)
            copied = lead + 3
            at = copied
        }
        return copied == 0 ? nil : result + json[copied...]
    }
}
