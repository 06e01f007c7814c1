@testable import Postgres
import Testing

/// A value that cannot be decoded causes an error that names the column, never a default value.
@Suite struct PostgresDecodableTests {
    private static func row(_ bytes: [UInt8]?, _ type: UInt32) -> Row {
        let field = bytes.map { CopyField(start: 0, count: $0.count) } ?? .null
        return Row(Row.Result(names: ["amount"], types: [type], query: "q", bytes: bytes ?? [], fields: [field]), 0)
    }

    private static func expectFault<Value: PostgresDecodable>(_ bytes: [UInt8], _ type: UInt32, as value: Value.Type) {
        let error = #expect(throws: PostgresError.self) { try row(bytes, type).decode("amount", as: value) }
        #expect(error?.code == .unexpectedResult && error?.message.contains("amount") == true && error?.query == "q")
    }

    private static let widths: [(type: UInt32, size: Int)] = [(TypeOID.int2, 2), (TypeOID.int4, 4), (TypeOID.int8, 8)]

    @Test(
        "Integers of each width are decoded up to their extremes; any other number of bytes is an error", arguments: widths
    )
    func integers(_ type: UInt32, _ size: Int) throws {
        #expect(try Self.row([UInt8](repeating: 0xFF, count: size), type).decode("amount", as: Int.self) == -1)
        let least = [0x80] + [UInt8](repeating: 0, count: size - 1)
        #expect(try Self.row(least, type).decode("amount", as: Int.self) == -1 << (size * 8 - 1))
        for count in 0...9 where count != size {
            Self.expectFault([UInt8](repeating: 1, count: count), type, as: Int.self)
        }
    }

    @Test(
        "Text, fractional numbers and other types are not decoded as integers",
        arguments: [25, 700, 701, 1700, TypeOID.bool, TypeOID.uuid] as [UInt32])
    func noIntegers(_ type: UInt32) {
        for count in [0, 1, 4, 8] { Self.expectFault([UInt8](repeating: 0x31, count: count), type, as: Int.self) }
    }

    @Test(
        "A boolean is one byte, 0 or 1; anything else is an error",
        arguments: [[], [2], [0xFF], [0, 1], [0, 0, 0, 1]] as [[UInt8]])
    func truth(_ bytes: [UInt8]) throws {
        #expect(try Self.row([1], TypeOID.bool).decode("amount", as: Bool.self))
        #expect(try !Self.row([0], TypeOID.bool).decode("amount", as: Bool.self))
        Self.expectFault(bytes, TypeOID.bool, as: Bool.self)
        Self.expectFault([1], TypeOID.int2, as: Bool.self)
    }

    @Test("A time is decoded if its microseconds since 1970 fit, else it is an error; infinities are kept")
    func times() throws {
        func bytes(_ value: Int64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - $0 * 8)) } }
        func time(_ value: Int64) throws -> Int64 {
            try Self.row(bytes(value), TypeOID.timestamptz).decode("amount", as: Timestamp.self).microseconds
        }
        #expect(try time(0) == 946_684_800_000_000 && time(.max) == .max && time(.min) == .min)
        #expect(try time(.max - 946_684_800_000_000) == .max)
        // 4714-11-24 BC, PostgreSQL's first day.
        #expect(try time(-211_813_488_000_000_000) == -210_866_803_200_000_000)
        // 294276-12-31, PostgreSQL's last day.
        Self.expectFault(bytes(9_223_371_331_199_999_999), TypeOID.timestamptz, as: Timestamp.self)
        for count in [0, 4, 7, 9] {
            Self.expectFault([UInt8](repeating: 0, count: count), TypeOID.timestamptz, as: Timestamp.self)
        }
        Self.expectFault(bytes(0), 1114, as: Timestamp.self)
    }

    /// The number of dimensions, a flag for nulls, the type of the elements; count and lower bound of each dimension; the elements.
    private static func array(_ words: [Int32], _ end: [UInt8] = []) -> [UInt8] {
        words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - $0 * 8)) } } + end
    }

    @Test("An incomplete array, or one with more bytes than it declares, is an error")
    func arrays() throws {
        let one = Self.array([1, 0, 25, 1, 1, 1], [0x61])
        #expect(try Self.row(one, 1009).decode("amount", as: [String].self) == ["a"])
        #expect(try Self.row(Self.array([0, 0, 25]), 1009).decode("amount", as: [String].self) == [])
        for cut in 0..<one.count { Self.expectFault(Array(one.prefix(cut)), 1009, as: [String].self) }
        let wrong = [
            one + [0], Self.array([0, 0, 25, 0]), Self.array([1, 1, 25, 1, 1, 1], [0x61]),
            Self.array([2, 0, 25, 1, 1, 1, 1, 1], [0x61]),
            Self.array([1, 0, 25, -1, 1]), Self.array([1, 0, 25, .max, 1, 1], [0x61]), Self.array([1, 0, 25, 1, 1, -1]),
            Self.array([1, 0, 25, 1, 1, .max], [0x61]), Self.array([1, 0, 23, 1, 1, 4], [0, 0, 0, 1]),
            Self.array([-1, 0, 25]),
        ]
        for bytes in wrong { Self.expectFault(bytes, 1009, as: [String].self) }
    }

    @Test("Null is an error where it is not expected, and a missing column is always an error")
    func absent() throws {
        #expect(try Self.row(nil, TypeOID.int4).decodeIfPresent("amount", as: Int.self) == nil)
        #expect(throws: PostgresError.self) { try Self.row(nil, TypeOID.int4).decode("amount", as: Int.self) }
        #expect(throws: PostgresError.self) { try Self.row(nil, TypeOID.int4).decodeIfPresent("none", as: Int.self) }
        for bytes in [[], [0], [2, 0x7B, 0x7D]] as [[UInt8]] { Self.expectFault(bytes, TypeOID.jsonb, as: String.self) }
        for count in [0, 15, 17] { Self.expectFault([UInt8](repeating: 0, count: count), TypeOID.uuid, as: String.self) }
    }
}
