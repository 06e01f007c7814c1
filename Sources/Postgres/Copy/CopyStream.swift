/// The bytes of a running binary COPY, a buffer at a time (PostgreSQL manual, COPY, "Binary Format").
///
/// Buffers hold whole rows: the header stands at the start of the first, the trailer at the end of the last.
package struct CopyStream {
    private let connection: PostgresConnection
    private let query: String
    private let bufferSize: Int
    private var ended = false

    init(connection: PostgresConnection, query: String, bufferSize: Int) {
        self.connection = connection
        self.query = query
        self.bufferSize = bufferSize
    }

    /// Fills the buffer with the next rows, instead of what it holds. The server is read only while this runs: that is the
    /// back-pressure.
    ///
    /// - Parameter size: bytes that it is to hold at least, if another number than the stream's.
    /// - Returns: whether there may be more.
    package mutating func next(into buffer: CopyBuffer, atLeast size: Int? = nil) async throws -> Bool {
        guard !ended else {
            buffer.removeAll()
            return false
        }
        ended = try await connection.copyNext(into: buffer, atLeast: size ?? bufferSize, query: query)
        return !ended
    }
}

extension PostgresConnection {
    /// Runs `COPY … TO STDOUT (FORMAT binary)` and lends its stream to the body. What the body leaves unread is given up.
    ///
    /// - Parameter bufferSize: bytes that a buffer holds at least, but for the last.
    package func withCopy<Result>(
        _ query: Query, bufferSize: Int = 256 * 1024,
        _ body: @Sendable (isolated PostgresConnection, inout CopyStream) async throws -> Result
    ) async throws -> Result {
        try await copyStart(query)
        defer { copyAbandon() }
        var stream = CopyStream(connection: self, query: query.name, bufferSize: bufferSize)
        return try await body(self, &stream)
    }
}
