@testable import JSONRPC
import Testing

@Suite struct JSONScannerTests {
    @Test(
        "JSON is taken",
        arguments: [
            "{}", "[]", "null", "0", "-0", "1.5e+3", "\"\"", "\"\\u00e9\\ud83d\\ude00\"", " [1 , {\"a\":[true,false]}] ",
            "9007199254740991", "-9007199254740991", "\"é中😀\"", "1e-400", "[[[[[[[[]]]]]]]]", "{\"é\":1,\"e\u{301}\":2}",
        ])
    func valid(_ text: String) throws {
        _ = try JSONScanner.scan(Array(text.utf8)[...])
    }

    @Test(
        "What only looks like JSON is refused, with the place",
        arguments: [
            ("", 0), ("{", 1), ("[1,]", 3), ("{\"a\":1,}", 7), ("{\"a\" 1}", 5), ("{a:1}", 1), ("[1 2]", 3), ("01", 0),
            ("-", 1),
            ("1.", 2), ("1e", 2), (".5", 0), ("+1", 0), ("NaN", 0), ("Infinity", 0), ("nul", 0), ("\"a", 2), ("\"\\x\"", 1),
            ("\"\\u12\"", 1), ("\"\\ud800\"", 1), ("\"\\udc00\"", 1), ("\"\\ud800\\u0041\"", 1), ("\"\t\"", 1), ("{} {}", 3),
            ("1e400", 0), ("[-1e999]", 1), ("\"\\u00g0\"", 1), ("\"\\u\u{FF11}111\"", 1),
            ("{\"a\":1,\"a\":2}", 7), ("{\"a\":1,\"\\u0061\":2}", 7), ("{\"b\":{\"a\":1,\"a\":2}}", 12),
            ("9007199254740992", 0),
            ("'a'", 0), ("\u{FEFF}{}", 0), ("[1]]", 3), ("/**/1", 0),
        ])
    func invalid(_ text: String, _ offset: Int) {
        let fault = #expect(throws: JSONFault.self) { try JSONScanner.scan(Array(text.utf8)[...]) }
        #expect(fault?.offset == offset, "\(fault.map(\.description) ?? "")")
    }

    @Test(
        "Bytes that are no UTF-8 are refused",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82], [0x80],
        ] as [[UInt8]])
    func encoding(_ bytes: [UInt8]) {
        #expect(throws: JSONFault.self) { try JSONScanner.scan(([0x22] + bytes + [0x22])[...]) }
    }

    @Test("Nesting is limited, and a million brackets cost no stack")
    func nesting() throws {
        func nested(_ depth: Int) -> [UInt8] {
            [UInt8](repeating: UInt8(ascii: "["), count: depth) + [UInt8](repeating: UInt8(ascii: "]"), count: depth)
        }
        _ = try JSONScanner.scan(nested(32)[...])
        #expect(throws: JSONFault.self) { try JSONScanner.scan(nested(33)[...]) }
        #expect(throws: JSONFault.self) { try JSONScanner.scan(nested(1_000_000)[...]) }
    }

    @Test("The number of values is limited")
    func values() throws {
        func list(_ count: Int) -> [UInt8] { Array("[\(Array(repeating: "1", count: count).joined(separator: ","))]".utf8) }
        _ = try JSONScanner.scan(list(65_535)[...])
        #expect(throws: JSONFault.self) { try JSONScanner.scan(list(65_536)[...]) }
    }

    @Test("The members of the top are given with their places")
    func members() throws {
        let text = Array("{\"a\\u0062\": [1, {\"x\":2}], \"c\":\"d\"}".utf8)
        guard case .object(let members) = try JSONScanner.scan(text[...]) else { throw JSONFault(offset: 0, reason: "") }
        #expect(members.map(\.name) == ["ab", "c"])
        #expect(members.map { String(decoding: text[$0.value], as: UTF8.self) } == ["[1, {\"x\":2}]", "\"d\""])
    }
}
