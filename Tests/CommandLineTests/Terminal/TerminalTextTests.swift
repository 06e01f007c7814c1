import CommandLine
import Foundation
import Testing

@Suite struct TerminalTextTests {
    @Test(
        "Control and invisible characters of a value are shown as escapes",
        arguments: [
            ("acme", "acme"), ("münchen", "münchen"), ("株式会社", "株式会社"), ("نص عربي", "نص عربي"), ("a\\b", "a\\b"), ("👍🏽", "👍🏽"),
            ("e\u{301}", "e\u{301}"), ("\u{600}١٢", "\u{600}١٢"),
            ("a\nb", "a\\nb"), ("a\r\nb", "a\\r\\nb"), ("a\tb", "a\\tb"), ("\u{0}", "\\u{0}"),
            ("\u{7}\u{8}\u{B}\u{C}", "\\u{7}\\u{8}\\u{b}\\u{c}"),
            ("\u{1B}", "\\u{1b}"), ("\u{1B}[2J", "\\u{1b}[2J"), ("\u{1B}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}"),
            ("\u{7F}", "\\u{7f}"),
            ("\u{80}\u{85}\u{90}\u{9B}31m\u{9C}\u{9D}\u{9F}", "\\u{80}\\u{85}\\u{90}\\u{9b}31m\\u{9c}\\u{9d}\\u{9f}"),
            ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"), ("\u{AD}", "\\u{ad}"), ("\u{180E}", "\\u{180e}"),
            ("gnp.\u{202E}xslx", "gnp.\\u{202e}xslx"),
            ("\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}", "\\u{202a}\\u{202b}\\u{202c}\\u{202d}\\u{202e}"),
            ("\u{2066}\u{2067}\u{2068}\u{2069}", "\\u{2066}\\u{2067}\\u{2068}\\u{2069}"),
            ("\u{200E}\u{200F}\u{61C}", "\\u{200e}\\u{200f}\\u{61c}"),
            ("ac\u{200B}me\u{200C}\u{200D}", "ac\\u{200b}me\\u{200c}\\u{200d}"),
            ("\u{FEFF}\u{2060}\u{2061}\u{2064}\u{206A}\u{206F}", "\\u{feff}\\u{2060}\\u{2061}\\u{2064}\\u{206a}\\u{206f}"),
            ("a\u{E0041}\u{E007F}\u{E0001}", "a\\u{e0041}\\u{e007f}\\u{e0001}"),
            ("a\u{FE0F}\u{E0100}", "a\\u{fe0f}\\u{e0100}"),
            ("\u{FFF9}\u{FFFA}\u{FFFB}", "\\u{fff9}\\u{fffa}\\u{fffb}"),
            ("\u{34F}\u{115F}\u{1160}\u{3164}\u{FFA0}", "\\u{34f}\\u{115f}\\u{1160}\\u{3164}\\u{ffa0}"),
            ("\u{FFFE}\u{10FFFF}", "\\u{fffe}\\u{10ffff}"), ("\u{301}x", "\\u{301}x"),
        ])
    func escapes(_ value: String, _ shown: String) {
        #expect(TerminalText(escaping: value).string == shown)
        let line: TerminalText = "<\(value)>"
        #expect(line.string == "<\(shown)>")
        #expect(("\(line)" as TerminalText).string == line.string, "a text is not escaped twice")
    }

    @Test("No character that controls a terminal or is invisible passes unescaped, in a text or in JSON")
    func everyScalar() throws {
        let hidden = Set("\u{61C}\u{200E}\u{200F}\u{2028}\u{2029}\u{FEFF}".unicodeScalars)
        var raw = 0
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let isHostile =
                value < 0x20 || (0x7F...0x9F).contains(value) || (0x202A...0x202E).contains(value)
                || (0x2066...0x2069).contains(value) || (0xE0000...0xE0FFF).contains(value) || hidden.contains(scalar)
            if !isHostile { raw += TerminalText(escaping: "a\(scalar)").string.unicodeScalars.contains(scalar) ? 1 : 0 }
            guard isHostile else { continue }
            #expect(
                !TerminalText(escaping: "a\(scalar)b").string.unicodeScalars.contains(scalar),
                "U+\(String(value, radix: 16))")
            let encoded = String(decoding: try JSONEncoder().encode(["a\(scalar)b"]), as: UTF8.self)
            let json = TerminalText(json: encoded).string
            #expect(!json.unicodeScalars.contains(scalar), "U+\(String(value, radix: 16)) in JSON")
            #expect(try JSONDecoder().decode([String].self, from: Data(json.utf8)) == ["a\(scalar)b"])
        }
        // The letters of all scripts are shown unescaped.
        #expect(raw > 140_000)
    }

    @Test("JSON keeps its line feeds and its meaning; other white space becomes spaces")
    func json() {
        #expect(
            TerminalText(json: "{\n\t\"a\":\r\"\u{9B}\u{7F}\u{202E}\u{E0041}é\"\n}").string
                == "{\n \"a\": \"\\u009b\\u007f\\u202e\\udb40\\udc41é\"\n}")
    }

    @Test("A text of several lines keeps its line feeds")
    func lines() {
        #expect(TerminalText(lines: "a\nb\r\u{1B}\n").string == "a\nb\\r\\u{1b}\n")
    }

    @Test(
        "The width of a text is the number of columns that a terminal uses for it",
        arguments: [
            ("", 0), ("abc", 3), ("münchen", 7), ("mu\u{308}nchen", 7), ("株式会社", 8), ("ｆｕｌｌ", 8), ("한글", 4), ("ไทย", 3),
            ("ก็", 1), ("🎉", 2),
            ("a\u{1B}", 7), ("\u{20000}", 2), ("עברית", 5),
        ])
    func width(_ value: String, _ columns: Int) {
        #expect(TerminalText(escaping: value).width == columns)
    }

    @Test("A text is cut at a column between characters, and combining marks stay with their character")
    func prefix() {
        func prefix(_ text: String, _ columns: Int) -> String {
            TerminalText(escaping: text).prefix(columns: columns).string
        }
        #expect(prefix("株式会社", 5) == "株式" && prefix("株式", 4) == "株式" && prefix("株式", 0) == "")
        #expect(prefix("e\u{301}a", 1).unicodeScalars.elementsEqual("e\u{301}".unicodeScalars))
    }

    @Test("The columns of a table are aligned, and no cell adds a line or a column")
    func table() {
        var table = Table(header: ["A", "B", "C"])
        table.append(["株式", "e\u{301}", "x"])
        table.append(["\("a\nb\tc\u{1B}[1m")", "\("\u{301}")", "x"])
        let lines = table.text.string.split(separator: "\n").map(String.init)
        #expect(lines.count == 3)
        let last = lines.map { TerminalText(escaping: String($0.dropLast())).width }
        #expect(Set(last).count == 1, "\(lines)")
    }
}
