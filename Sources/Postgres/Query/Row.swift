/// One row of a result in PostgreSQL's binary format. Values are read by column name.
package struct Row: Sendable {
    private let result: Result
    private let index: Int

    /// What the rows of a result share: their columns, and the bytes of all values.
    final class Result: Sendable {
        fileprivate let names: [String]
        fileprivate let types: [UInt32]
        fileprivate let query: String
        fileprivate let bytes: [UInt8]
        fileprivate let fields: [CopyField]

        /// - Parameters:
        ///   - types: an OID of `pg_type` for each name.
        ///   - fields: row by row, one for each name.
        init(names: [String], types: [UInt32], query: String, bytes: [UInt8], fields: [CopyField]) {
            self.names = names
            self.types = types
            self.query = query
            self.bytes = bytes
            self.fields = fields
        }
    }

    init(_ result: Result, _ index: Int) {
        self.result = result
        self.index = index
    }

    /// Reads a value that may not be null.
    ///
    /// - Throws: ``PostgresError/Code/unexpectedResult`` for null, an unknown column or a type that does not fit.
    package func decode<Value: PostgresDecodable>(_ column: String, as type: Value.Type = Value.self) throws -> Value {
        guard let value = try decodeIfPresent(column, as: type) else { throw fault("column \(column) is null") }
        return value
    }

    /// Reads a value; nil for null.
    ///
    /// - Throws: ``PostgresError/Code/unexpectedResult`` for an unknown column or a type that does not fit.
    package func decodeIfPresent<Value: PostgresDecodable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws -> Value? {
        guard let place = result.names.firstIndex(of: column) else { throw fault("there is no column \(column)") }
        guard let range = result.fields[index * result.names.count + place].range else { return nil }
        guard let value = Value(binary: result.bytes[range], type: result.types[place]) else {
            throw fault("column \(column) of type \(result.types[place]) cannot be read as \(type)")
        }
        return value
    }

    private func fault(_ message: String) -> PostgresError {
        PostgresError(.unexpectedResult, message, query: result.query)
    }
}

/// A type that can be read from PostgreSQL's binary format.
package protocol PostgresDecodable {
    /// nil if the column's type (an OID of `pg_type`) or the bytes do not fit.
    init?(binary bytes: ArraySlice<UInt8>, type: UInt32)
}

/// OIDs of built-in types (`pg_type.dat`); they never change.
enum TypeOID {
    static let bool: UInt32 = 16
    static let bytea: UInt32 = 17
    static let int8: UInt32 = 20
    static let int2: UInt32 = 21
    static let int4: UInt32 = 23
    static let json: UInt32 = 114
    static let timestamptz: UInt32 = 1184
    static let uuid: UInt32 = 2950
    static let jsonb: UInt32 = 3802
    static let binary: Set<UInt32> = [bool, bytea, int8, int2, int4, 700, 701, 1082, 1114, timestamptz, 1186, 1700, uuid]
}

extension FixedWidthInteger {
    /// Reads a value in network byte order; nil for another number of bytes.
    init?(bigEndian bytes: some Collection<UInt8>) {
        guard bytes.count == MemoryLayout<Self>.size else { return nil }
        self = bytes.reduce(0) { $0 << 8 | Self(truncatingIfNeeded: $1) }
    }
}

extension Bool: PostgresDecodable {
    /// Reads `boolean`.
    package init?(binary bytes: ArraySlice<UInt8>, type: UInt32) {
        guard type == TypeOID.bool, bytes == [0] || bytes == [1] else { return nil }
        self = bytes == [1]
    }
}

extension Int: PostgresDecodable {
    /// Reads `smallint`, `integer` and `bigint`.
    package init?(binary bytes: ArraySlice<UInt8>, type: UInt32) {
        let value: Int64? =
            switch type {
            case TypeOID.int2: Int16(bigEndian: bytes).map { Int64($0) }
            case TypeOID.int4: Int32(bigEndian: bytes).map { Int64($0) }
            case TypeOID.int8: Int64(bigEndian: bytes)
            default: nil
            }
        guard let value, let exact = Int(exactly: value) else { return nil }
        self = exact
    }
}

extension String: PostgresDecodable {
    /// Reads text of any type whose binary form is its text (text, varchar, name, enums, json, jsonb), and uuid.
    package init?(binary bytes: ArraySlice<UInt8>, type: UInt32) {
        switch type {
        case TypeOID.jsonb:
            guard bytes.first == 1 else { return nil }
            self = String(decoding: bytes.dropFirst(), as: UTF8.self)
        case TypeOID.uuid:
            guard bytes.count == 16 else { return nil }
            self.init(uuid: bytes)
        case _ where TypeOID.binary.contains(type):
            return nil
        default:
            self = String(decoding: bytes, as: UTF8.self)
        }
    }

    /// A UUID from its 16 bytes, in groups of 8, 4, 4, 4 and 12 lowercase digits.
    package init(uuid bytes: some Collection<UInt8>) {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        self = String(decoding: text, as: UTF8.self)
    }
}

extension Array: PostgresDecodable where Element == String {
    /// Reads a one-dimensional array without nulls of a type that ``String`` can be read from.
    package init?(binary bytes: ArraySlice<UInt8>, type: UInt32) {
        var rest = bytes
        func int32() -> Int32? {
            guard rest.count >= 4 else { return nil }
            defer { rest = rest.dropFirst(4) }
            return Int32(bigEndian: rest.prefix(4))
        }
        guard let dimensions = int32(), let hasNulls = int32(), let element = int32(), hasNulls == 0 else { return nil }
        self = []
        guard dimensions != 0 else {
            guard rest.isEmpty else { return nil }
            return
        }
        guard dimensions == 1, let count = int32(), count >= 0, int32() != nil else { return nil }
        for _ in 0..<count {
            guard let length = int32(), length >= 0, rest.count >= Int(length),
                let text = String(binary: rest.prefix(Int(length)), type: UInt32(bitPattern: element))
            else { return nil }
            append(text)
            rest = rest.dropFirst(Int(length))
        }
        guard rest.isEmpty else { return nil }
    }
}

/// A point in time, as microseconds since 1970-01-01 00:00 UTC. `infinity` is the largest value, `-infinity` the smallest.
package struct Timestamp: PostgresDecodable, Hashable, Comparable, Sendable {
    /// Microseconds since 1970-01-01 00:00 UTC.
    package let microseconds: Int64

    /// A point in time from its microseconds since 1970-01-01 00:00 UTC.
    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// Reads `timestamptz`; nil also for the last days before PostgreSQL's latest time, which 64 bits since 1970 do not cover.
    package init?(binary bytes: ArraySlice<UInt8>, type: UInt32) {
        guard type == TypeOID.timestamptz, let since2000 = Int64(bigEndian: bytes) else { return nil }
        switch since2000 {
        case .max, .min: microseconds = since2000
        default:
            // PostgreSQL's years go to 294276. 64 bits counted from 1970 end some days earlier.
            let (since1970, overflows) = since2000.addingReportingOverflow(946_684_800_000_000)
            guard !overflows else { return nil }
            microseconds = since1970
        }
    }

    /// Whether the left time is earlier.
    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microseconds < right.microseconds
    }
}
