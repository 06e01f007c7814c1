@testable import JSONRPC
import Testing

@Suite struct JSONScannerTests {
    private func root(_ text: String, values: Int = JSONScanner.maxValues) throws(JSONFault) -> JSONNode {
        try JSONDocument(scanning: Array(text.utf8), values: values).root
    }

    @Test(
        "Valid JSON is accepted",
        arguments: [
            "{}", "[]", "null", "0", "-0", "1.5e+3", "\"\"", "\"\\u00e9\\ud83d\\ude00\"", " [1 , {\"a\":[true,false]}] ",
            "9007199254740991", "-9007199254740991", "\"é中😀\"", "1e-400", "[[[[[[[[]]]]]]]]", "{\"é\":1,\"e\u{301}\":2}",
            "1.7976931348623157e308", "-1.7976931348623158e308", "0e999", "0.0e999999999999999999999",
            "1e-99999999999999999999",
            "0.00001e312", "{\"a\":{\"a\":1},\"b\":{\"a\":1}}", "{\"K\":1,\"\u{212A}\":2}",
        ])
    func valid(_ text: String) throws {
        _ = try root(text)
    }

    @Test(
        "Invalid JSON is refused, with the offset",
        arguments: [
            ("", 0), ("{", 1), ("[1,]", 3), ("{\"a\":1,}", 7), ("{\"a\" 1}", 5), ("{a:1}", 1), ("[1 2]", 3), ("01", 0),
            ("-", 1),
            ("1.", 2), ("1e", 2), (".5", 0), ("+1", 0), ("NaN", 0), ("Infinity", 0), ("nul", 0), ("\"a", 2), ("\"\\x\"", 1),
            ("\"\\u12\"", 1), ("\"\\ud800\"", 1), ("\"\\udc00\"", 1), ("\"\\ud800\\u0041\"", 1), ("\"\t\"", 1), ("{} {}", 3),
            ("1e400", 0), ("[-1e999]", 1), ("\"\\u00g0\"", 1), ("\"\\u\u{FF11}111\"", 1),
            ("{\"a\":1,\"a\":2}", 7), ("{\"a\":1,\"\\u0061\":2}", 7), ("{\"b\":{\"a\":1,\"a\":2}}", 12),
            ("9007199254740992", 0), ("1.7976931348623159e308", 0), ("1797693134862315.9e293", 0),
            ("1e99999999999999999999", 0),
            ("'a'", 0), ("\u{FEFF}{}", 0), ("[1]]", 3), ("/**/1", 0), ("{\"\":1,\"\":2}", 6),
        ])
    func invalid(_ text: String, _ offset: Int) {
        let fault = #expect(throws: JSONFault.self) { try root(text) }
        #expect(fault?.offset == offset, "\(fault.map(\.description) ?? "")")
    }

    @Test(
        "Bytes that are not UTF-8 are refused",
        arguments: [
            [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82], [0x80], [0xC3],
            [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func encoding(_ bytes: [UInt8]) {
        #expect(throws: JSONFault.self) { try JSONDocument(scanning: [0x22] + bytes + [0x22]) }
        #expect(throws: JSONFault.self) { try JSONDocument(scanning: [0x22] + bytes) }
    }

    @Test("Nesting is limited, and a million brackets do not overflow the stack")
    func nesting() throws {
        func nested(_ depth: Int) -> [UInt8] {
            [UInt8](repeating: UInt8(ascii: "["), count: depth) + [UInt8](repeating: UInt8(ascii: "]"), count: depth)
        }
        _ = try JSONDocument(scanning: nested(32))
        #expect(throws: JSONFault.self) { try JSONDocument(scanning: nested(33)) }
        #expect(throws: JSONFault.self) { try JSONDocument(scanning: nested(1_000_000)) }
    }

    @Test("The number of values is limited")
    func values() throws {
        func list(_ count: Int) -> String { "[\(Array(repeating: "1", count: count).joined(separator: ","))]" }
        _ = try root(list(4_095))
        #expect(throws: JSONFault.self) { try root(list(4_096)) }
        #expect(try root(list(5_000), values: 10_000).elements.map(\.integer).count == 5_000)
    }

    @Test("Members and elements are in the order of the text, with their content")
    func members() throws {
        let root = try root("{\"a\\u0062\": [1, {\"x\":2}], \"c\":\"d\", \"e\": {}}")
        #expect(root.members.map { $0.name.text(upTo: 9) } == ["ab", "c", "e"])
        #expect(root.members.map { String(decoding: $0.value.bytes, as: UTF8.self) } == ["[1, {\"x\":2}]", "\"d\"", "{}"])
        let list = try #require(root.members.first { $0.name.isString("ab") }?.value)
        #expect(list.elements.map(\.kind) == [.number, .object] && list.members.map(\.name.kind).isEmpty)
        #expect(root.elements.map(\.kind).isEmpty)
    }

    @Test("A string is read up to a number of scalars, and compared by scalars")
    func texts() throws {
        let text = try root("\"\\u0041\\\"\\\\\\/\\b\\f\\n\\r\\té中\\ud83d\\ude00😀\"")
        #expect(text.text(upTo: 100) == "A\"\\/\u{8}\u{C}\n\r\té中😀😀")
        #expect(text.text(upTo: 2) == "A\"")
        // U+FEFF is a character like any other inside a text; only a document must not begin with it.
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let marked = try JSONDocument(scanning: [0x22] + mark + [0x22]).root.text(upTo: 9)
        #expect(marked.map { Array($0.utf8) } == mark)
        #expect(try root("\"\\u006bey\"").isString("key") && root("\"key\"").isString("key"))
        // `==` of `String` treats KELVIN SIGN as K.
        #expect(
            try !root("\"\u{212A}\"").isString("K") && !root("\"\\u212a\"").isString("K")
                && !root("\"e\u{301}\"").isString("é"))
        #expect(try !root("1").isString("1") && root("1").text(upTo: 1) == nil)
    }

    @Test(
        "An integer is recognized in any notation, and no other value is",
        arguments: [
            ("5", 5), ("5.0", 5), ("5e0", 5), ("50e-1", 5), ("0.5e1", 5), ("500.000E-2", 5), ("-0", 0), ("-0.0", 0),
            ("0e5", 0),
            ("-5.0", -5), ("1e2", 100), ("1E+2", 100), ("9007199254740991", 9_007_199_254_740_991),
            ("9.007199254740991e15", 9_007_199_254_740_991), ("-90071992547409910.0e-1", -9_007_199_254_740_991),
            ("0.0000000000000000000001e22", 1), ("10000000000000000000000e-22", 1), ("1e15", 1_000_000_000_000_000),
            ("0e99999999999999999999", 0), ("5.\(String(repeating: "0", count: 10_000))", 5),
            ("5.5", nil), ("5e-1", nil), ("1e-400", nil), ("0.1", nil), ("9007199254740992.0", nil), ("1e16", nil),
            ("1e300", nil),
            ("-9.007199254740992e15", nil), ("5.\(String(repeating: "0", count: 10_000))1", nil),
            ("4.9999999999999999999999", nil),
            ("\"5\"", nil), ("true", nil), ("null", nil), ("[5]", nil),
        ] as [(String, Int?)])
    func integers(_ text: String, _ value: Int?) throws {
        #expect(try root(text).integer == value)
    }
}
