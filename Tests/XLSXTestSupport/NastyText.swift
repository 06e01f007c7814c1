/// Makes texts of every kind that is known to cause faults in writers or readers. Equal seeds give equal texts.
package struct NastyText {
    private var generator: Generator

    package init(seed: UInt64) {
        generator = Generator(seed: seed)
    }

    /// The pieces from which texts are composed. Each has broken some library.
    private static let pieces: [String] =
        (1..<32).map { String(UnicodeScalar(UInt8($0))) }
        + [
            "a", "word", " ", "  ", "\t", "\n", "\r", "\r\n", "\u{7F}", "\u{85}", "\u{A0}", "\u{2003}", "\u{2028}",
            "\u{3000}",
            "&", "<", ">", "\"", "'", "&amp;", "]]>", "<![CDATA[", "<!--", "&#10;", "_", "_x", "_x0041_", "_X00e9_",
            "_x000D_",
            "_x005F_", "_x004", "x0041_", "_xZZZZ_", "0041_", "=1+1", "+1", "-1", "@SUM(A1)", "{=1}", "e\u{301}", "\u{301}",
            "नि", "👩‍💻", "🇫🇷", "😀", "\u{FFFD}", "\u{FFFE}", "\u{FFFF}", "\u{1FFFE}", "\u{10FFFF}", "\u{E000}", "محمد",
            "\u{202E}",
            "שלום", "\u{FEFF}", "中文", "한국", "ﬀ", "0012", "1E5", "12345678901234567890", "TRUE", "#N/A", "2025-01-01",
        ]

    /// The next text: a few pieces, sometimes with a length near the limit of a cell or far above it.
    package mutating func next() -> [UInt8] {
        var text: [UInt8] = []
        for _ in 0..<Int.random(in: 1...8, using: &generator) { text += piece() }
        if Int.random(in: 0..<200, using: &generator) == 0 {
            let filler = Array(
                ["a", "é", "中", "😀", "\r\n", "&", "\u{1}"].randomElement(using: &generator)?.utf8 ?? "a".utf8)
            let units =
                [32_750, 32_760, 32_764, 32_766, 32_767, 32_768, 33_000, 250_000].randomElement(using: &generator) ?? 0
            while text.count < units * filler.count { text += filler }
            text += piece()
        }
        return text
    }

    private mutating func piece() -> [UInt8] {
        Array((Self.pieces.randomElement(using: &generator) ?? "").utf8)
    }

    /// The text that a cell contains according to the rules, computed without the writer's code: line ends are line feeds,
    /// invalid bytes are U+FFFD, and at most 32,767 UTF-16 units remain, without half of a surrogate pair.
    package static func expected(_ bytes: [UInt8]) -> String {
        var result = String.UnicodeScalarView()
        var units = 0
        var wasReturn = false
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            let isFolded = wasReturn && scalar == "\n"
            wasReturn = scalar == "\r"
            if isFolded { continue }
            units += UTF16.width(scalar)
            if units > 32_767 { break }
            result.append(scalar == "\r" ? "\n" : scalar)
        }
        return String(result)
    }

    /// A message for people: the first difference between two texts, with the characters around it.
    package static func difference(_ got: String, _ expected: String) -> String {
        let (got, expected) = (Array(got.unicodeScalars), Array(expected.unicodeScalars))
        let place = zip(got, expected).enumerated().first { $1.0 != $1.1 }?.offset ?? min(got.count, expected.count)
        func around(_ text: [Unicode.Scalar]) -> String {
            text[min(text.count, max(0, place - 12))..<min(text.count, place + 12)].map { $0.escaped(asASCII: true) }
                .joined()
        }
        return "at \(place) of \(expected.count): expected \(around(expected)), got \(around(got)) (\(got.count))"
    }
}
