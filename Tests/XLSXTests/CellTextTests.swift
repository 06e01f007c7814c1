import Testing

@testable import XLSX

@Suite struct CellTextTests {
    private func escape(_ bytes: [UInt8]) -> (text: String, faults: CellText.Faults) {
        let output = OutputBuffer(capacity: 16)
        let faults = CellText.append(bytes.span, to: output)
        return (output.withBytes { $0.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) } }, faults)
    }

    @Test(
        "Text that XML or Excel would interpret is escaped, and no other text",
        arguments: [
            ("plain", "plain"), ("a & b", "a &amp; b"), ("<x>", "&lt;x&gt;"), ("\"'", "\"'"),
            ("\u{0}", "_x0000_"), ("a\u{1}b", "a_x0001_b"), ("\u{1F}", "_x001F_"), ("tab\there", "tab\there"),
            ("\u{7F}", "\u{7F}"), ("a\r\nb", "a\nb"), ("a\rb", "a\nb"), ("\r\r\n\r", "\n\n\n"),
            ("_x0041_", "_x005F_x0041_"), ("_X00e9_", "_x005F_X00e9_"), ("_x004_", "_x005F_x004_"), ("_x4_", "_x005F_x4_"),
            ("_x_", "_x_"), ("_x00041_", "_x00041_"), ("_x0041\u{1}", "_x005F_x0041_x0001_"), ("_xZZZZ_", "_xZZZZ_"),
            ("__x0041_", "__x005F_x0041_"), ("_x0041", "_x0041"), ("snake_case", "snake_case"),
            ("\u{FFFE}", "_xFFFE_"), ("\u{FFFF}", "_xFFFF_"), ("\u{FFFD}", "\u{FFFD}"),
            ("é中👩‍💻", "é中👩‍💻"), ("=1+1", "=1+1"), ("long enough & for two words", "long enough &amp; for two words"),
            ("12345678>", "12345678&gt;"), ("1234567\u{1}", "1234567_x0001_"),
        ])
    func escapes(_ given: String, _ expected: String) {
        let result = escape(Array(given.utf8))
        #expect(result.text == expected)
        #expect(result.faults.isEmpty)
    }

    @Test(
        "Invalid UTF-8 becomes U+FFFD, one for each maximal subpart",
        arguments: [
            ([0x61, 0xFF, 0x62], "a\u{FFFD}b"), ([0xC3], "\u{FFFD}"), ([0xE4, 0xB8], "\u{FFFD}"),
            ([0xE4, 0xB8, 0x61], "\u{FFFD}a"), ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
            ([0xC0, 0x80], "\u{FFFD}\u{FFFD}"), ([0xF0, 0x9F, 0x98], "\u{FFFD}"), ([0xF5], "\u{FFFD}"),
        ] as [([UInt8], String)])
    func replaces(_ given: [UInt8], _ expected: String) {
        let result = escape(given)
        #expect(result.text == expected)
        #expect(result.faults == .replaced)
    }

    @Test(
        "A cell holds 32,767 UTF-16 units; a surrogate pair is never split",
        arguments: [
            (String(repeating: "a", count: 32_767), 32_767, false), (String(repeating: "a", count: 32_768), 32_767, true),
            (String(repeating: "é", count: 32_767), 32_767, false), (String(repeating: "é", count: 32_768), 32_767, true),
            (String(repeating: "a", count: 32_766) + "😀", 32_766, true),
            (String(repeating: "a", count: 32_765) + "😀", 32_767, false),
            (String(repeating: "😀", count: 16_384), 32_766, true),
            (String(repeating: "\r\n", count: 32_767), 32_767, false),
        ])
    func limit(_ given: String, _ units: Int, _ isCut: Bool) {
        let result = escape(Array(given.utf8))
        #expect(result.text.utf16.count == units)
        #expect(result.faults == (isCut ? .truncated : []))
    }

    @Test("An invalid byte counts as the one unit of its U+FFFD")
    func replacedUnits() {
        let fits = escape([0xFF] + [UInt8](repeating: UInt8(ascii: "a"), count: 32_766))
        #expect(fits.text.utf16.count == 32_767 && fits.faults == .replaced)
    }

    /// The result of the scan; nil if it did not copy exactly the text.
    private func isPlain(_ text: [UInt8]) -> Bool? {
        var target = [UInt8](repeating: 0xAA, count: text.count + 32)
        let isPlain = target.withUnsafeMutableBytes { target in
            CellText.copyIfPlain(text.span, to: target.baseAddress.unsafelyUnwrapped)
        }
        let isCopied = target.starts(with: text) && target.dropFirst(text.count).allSatisfy { $0 == 0xAA }
        return isCopied ? isPlain : nil
    }

    @Test("The scan finds each byte that needs care, at any position and beside any other bytes", arguments: 1...40)
    func scans(_ length: Int) {
        let careful = Set(UInt8.min...UInt8.max).filter { $0 < 0x20 || $0 >= 0x80 || "&<>_".utf8.contains($0) }
        for filler in [UInt8(ascii: " "), UInt8(ascii: "x"), 0x7F] {
            for byte in UInt8.min...UInt8.max {
                for place in Set([0, length / 2, length - 1]) {
                    var text = [UInt8](repeating: filler, count: length)
                    text[place] = byte
                    #expect(isPlain(text) == !careful.contains(byte), "\(byte) at \(place) of \(length)")
                }
            }
        }
    }

    @Test("A byte outside ASCII does not hide a special character beside it")
    func carries() {
        // In the arithmetic of the scan, such a byte may carry into the next one.
        for (special, written) in [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\u{1}", "_x0001_"), ("é", "é")] {
            #expect(escape(Array("ÿ\(special)aaaaa".utf8)).text == "ÿ\(written)aaaaa")
            #expect(escape(Array("aaa\u{10FFFF}\(special)".utf8)).text == "aaa\u{10FFFF}\(written)")
        }
    }

    @Test(
        "Text with leading or trailing white space needs xml:space",
        arguments: [
            (" a", true), ("a ", true), ("\na", true), ("a\t", true), ("a b", false), ("a", false),
        ])
    func space(_ text: String, _ expected: Bool) {
        #expect(CellText.needsSpacePreserved(text.utf8.span) == expected)
    }
}
