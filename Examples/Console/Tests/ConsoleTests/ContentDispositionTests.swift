import Testing

@testable import Console

@Suite struct ContentDispositionTests {
    @Test(
        "A file name is quoted and encoded, and cannot start another field or parameter",
        arguments: [
            ("a.xlsx", "attachment; filename=\"a.xlsx\"; filename*=UTF-8''a.xlsx"),
            ("été 2026.xlsx", "attachment; filename=\"_t_ 2026.xlsx\"; filename*=UTF-8''%C3%A9t%C3%A9%202026.xlsx"),
            ("a\"; filename=\"b", "attachment; filename=\"a__ filename=_b\"; filename*=UTF-8''a%22%3B%20filename%3D%22b"),
            ("a\r\nSet-Cookie: b", "attachment; filename=\"a__Set-Cookie_ b\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b"),
            ("a\\\"b", "attachment; filename=\"a__b\"; filename*=UTF-8''a%5C%22b"),
            ("%41.xlsx", "attachment; filename=\"_41.xlsx\"; filename*=UTF-8''%2541.xlsx"),
            ("../../etc/passwd", "attachment; filename=\".._.._etc_passwd\"; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd"),
            ("\0\u{7f}", "attachment; filename=\"__\"; filename*=UTF-8''%00%7F"),
        ])
    func names(_ name: String, _ field: String) {
        #expect(ContentDisposition.attachment(name) == field)
    }
}
