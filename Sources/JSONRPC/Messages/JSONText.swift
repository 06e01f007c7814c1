/// Writes JSON text without an encoder.
package enum JSONText {
    /// Returns the text as a JSON string; see ``append(_:to:)``.
    package static func quoted(_ text: String) -> String {
        var json: [UInt8] = []
        append(text, to: &json)
        return String(decoding: json, as: UTF8.self)
    }

    /// Appends the text as a JSON string. Escapes the characters that JSON requires (RFC 8259, section 7), U+007F to U+009F,
    /// which can control a terminal, and U+2028 and U+2029, which some programs read as the end of a line.
    package static func append(_ text: String, to json: inout [UInt8]) {
        json.append(UInt8(ascii: "\""))
        // Most texts need no escapes.
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
            json += text.utf8
        } else {
            for scalar in text.unicodeScalars {
                switch scalar {
                case "\"", "\\": json += [UInt8(ascii: "\\"), UInt8(ascii: scalar)]
                case "\n": json += "\\n".utf8
                case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}", "\u{2028}", "\u{2029}":
                    let digits = String(scalar.value, radix: 16)
                    json += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
                default: json += String(scalar).utf8
                }
            }
        }
        json.append(UInt8(ascii: "\""))
    }

    /// The length of the text in bytes, without white space outside of strings.
    static func compactLength(_ json: ArraySlice<UInt8>) -> Int {
        // In a short text, white space makes no difference.
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

    /// Adds the line feed to a line of JSON, and escapes U+2028 and U+2029, which JSON allows only in strings.
    static func line(_ json: consuming [UInt8]) -> [UInt8] {
        // In place if the array has no other owner, so that a large reply is in memory once.
        if let escaped = withoutLineSeparators(json) { json = escaped }
        json.append(UInt8(ascii: "\n"))
        return json
    }

    /// - Returns: the text with both escaped; nil if it contains neither.
    private static func withoutLineSeparators(_ json: [UInt8]) -> [UInt8]? {
        // Both begin with E2 80. Most texts contain neither and are not copied.
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
