import Testing

@testable import Directory

@Suite struct KeyLiteralTests {
    @Test(
        "A key becomes a constant only if its text is as the server spells it",
        arguments: [
            (KeyTypes.KeyType.bigint, "0", "'0'::bigint"),
            (.bigint, "-9223372036854775808", "'-9223372036854775808'::bigint"),
            (.bigint, "9223372036854775808", nil), (.bigint, "+1", nil), (.bigint, "-0", nil), (.bigint, "01", nil),
            (.bigint, "", nil), (.bigint, " 1", nil), (.bigint, "1'--", nil), (.bigint, "١", nil),
            (.bigint, "1\u{301}", nil),
            (.uuid, "0198c5e1-9b2a-7cde-8f01-23456789abcd", "'0198c5e1-9b2a-7cde-8f01-23456789abcd'::uuid"),
            (.uuid, "0198C5E1-9b2a-7cde-8f01-23456789abcd", nil), (.uuid, "0198c5e19b2a7cde8f0123456789abcd", nil),
            (.uuid, "0198c5e1-9b2a-7cde-8f01-23456789abc'", nil), (.uuid, "", nil), (.text, "acme", nil), (.text, "1", nil),
        ] as [(KeyTypes.KeyType, String, String?)])
    func forms(_ type: KeyTypes.KeyType, _ key: String, _ sql: String?) {
        #expect(KeyLiteral(key, of: type)?.sql == sql)
    }
}
