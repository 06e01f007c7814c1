internal import Postgres

/// PostgreSQL's binary `text[]`, as its function `array_send` writes it: the number of dimensions, whether there are nulls, and the type of
/// the elements; the length and the lower bound of each dimension; each element with its length, -1 for null.
enum TextArray {
    /// Calls the body with each element that is not null, in the order of storage, whatever the number of dimensions.
    ///
    /// - Throws: ``PostgresError/Code/unexpectedResult`` for bytes of another form.
    static func forEach(in bytes: Span<UInt8>, _ body: (Span<UInt8>) throws -> Void) throws {
        let dimensions = try number(in: bytes, at: 0)
        guard (0...6).contains(dimensions) else { throw malformed }
        var at = 12 + 8 * dimensions
        while at < bytes.count {
            let length = try number(in: bytes, at: at)
            at += 4
            guard length >= 0 else { continue }
            guard length <= bytes.count - at else { throw malformed }
            try body(bytes.extracting(at..<(at + length)))
            at += length
        }
    }

    private static func number(in bytes: Span<UInt8>, at offset: Int) throws -> Int {
        guard offset >= 0, offset + 4 <= bytes.count else { throw malformed }
        var number: UInt32 = 0
        for index in offset..<(offset + 4) { number = number << 8 | UInt32(bytes[index]) }
        return Int(Int32(bitPattern: number))
    }

    private static let malformed = PostgresError(.unexpectedResult, "an array does not have the binary form of text[]")
}
