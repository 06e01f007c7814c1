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
