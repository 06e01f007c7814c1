/// One row of a result, in PostgreSQL's binary format, read by column name.
package struct Row: Sendable {
    private let columns: Columns
    private let values: [[UInt8]?]

    /// The columns that all rows of a result share.
    package final class Columns: Sendable {
        let names: [String]
        let types: [UInt32]
        let query: String

        init(names: [String], types: [UInt32], query: String) {
            self.names = names
            self.types = types
            self.query = query
        }
    }

    init(columns: Columns, values: [[UInt8]?]) {
        self.columns = columns
        self.values = values
    }

    /// A value that may not be null.
    ///
    /// - Throws: ``PostgresError/Code/unexpectedResult`` for null, an unknown column or a type that does not fit.
    package func decode<Value: PostgresDecodable>(_ column: String, as type: Value.Type = Value.self) throws -> Value {
        guard let value = try decodeIfPresent(column, as: type) else {
            throw fault("column \(column) is null")
        }
        return value
    }

    /// A value that may be null.
    package func decodeIfPresent<Value: PostgresDecodable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws -> Value? {
        guard let index = columns.names.firstIndex(of: column) else {
            throw fault("there is no column \(column)")
        }
        guard let bytes = values[index] else { return nil }
        guard let value = Value(binary: bytes, type: columns.types[index]) else {
            throw fault("column \(column) of type \(columns.types[index]) is no \(type)")
        }
        return value
    }

    private func fault(_ message: String) -> PostgresError {
        PostgresError(.unexpectedResult, message, query: columns.query)
    }
}

/// A type that can be read from PostgreSQL's binary format.
package protocol PostgresDecodable {
    /// Nil where the column's type (an OID of `pg_type`) or the bytes do not fit.
    init?(binary bytes: [UInt8], type: UInt32)
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
    /// Big-endian, as everything is in this format.
    init?(bigEndian bytes: some Collection<UInt8>) {
        guard bytes.count == MemoryLayout<Self>.size else { return nil }
        self = bytes.reduce(0) { $0 << 8 | Self(truncatingIfNeeded: $1) }
    }
}

extension Bool: PostgresDecodable {
    package init?(binary bytes: [UInt8], type: UInt32) {
        guard type == TypeOID.bool, bytes == [0] || bytes == [1] else { return nil }
        self = bytes == [1]
    }
}

extension Int: PostgresDecodable {
    package init?(binary bytes: [UInt8], type: UInt32) {
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
    /// Text of any type whose binary form is its text: text, varchar, name, enums, json, jsonb. And uuid, as usual.
    package init?(binary bytes: [UInt8], type: UInt32) {
        switch type {
        case TypeOID.jsonb:
            guard bytes.first == 1 else { return nil }
            self = String(decoding: bytes.dropFirst(), as: UTF8.self)
        case TypeOID.uuid:
            guard bytes.count == 16 else { return nil }
            let digits = Array("0123456789abcdef".utf8)
            var text: [UInt8] = []
            for (index, byte) in bytes.enumerated() {
                if [4, 6, 8, 10].contains(index) { text.append(UInt8(ascii: "-")) }
                text.append(digits[Int(byte >> 4)])
                text.append(digits[Int(byte & 15)])
            }
            self = String(decoding: text, as: UTF8.self)
        case _ where TypeOID.binary.contains(type):
            return nil
        default:
            self = String(decoding: bytes, as: UTF8.self)
        }
    }
}

extension Array: PostgresDecodable where Element == String {
    /// A one-dimensional array without nulls of a type that ``String`` can be read from.
    package init?(binary bytes: [UInt8], type: UInt32) {
        var rest: ArraySlice<UInt8> = bytes[...]
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
                let text = String(binary: [UInt8](rest.prefix(Int(length))), type: UInt32(bitPattern: element))
            else { return nil }
            append(text)
            rest = rest.dropFirst(Int(length))
        }
        guard rest.isEmpty else { return nil }
    }
}

/// A point in time, as microseconds since 1970-01-01 00:00 UTC; `infinity` is the largest value, `-infinity` the least.
package struct Timestamp: PostgresDecodable, Hashable, Comparable, Sendable {
    package let microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    package init?(binary bytes: [UInt8], type: UInt32) {
        guard type == TypeOID.timestamptz, let since2000 = Int64(bigEndian: bytes) else { return nil }
        switch since2000 {
        case .max, .min: microseconds = since2000
        default:
            // PostgreSQL's years go to 294276, and what is counted from 1970 ends some days before theirs.
            let (since1970, isBeyond) = since2000.addingReportingOverflow(946_684_800_000_000)
            guard !isBeyond else { return nil }
            microseconds = since1970
        }
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microseconds < right.microseconds
    }
}
