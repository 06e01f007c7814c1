private import Glibc

/// The bytes of a COPY, in memory that is filled, read and filled again.
///
/// A class with a raw pointer, not an array: an array that is passed on and comes back is copied when somebody still holds it.
/// Unchecked, because it is handed over and never shared: a connection fills it, and whoever gets it then only reads.
package final class CopyBuffer: @unchecked Sendable {
    private var base: UnsafeMutableRawPointer?
    /// Bytes that it has room for.
    package private(set) var capacity = 0
    package private(set) var count = 0

    package init() {}

    deinit {
        free(base)
    }

    /// Lends the bytes from the start, so many of them.
    package func withBytes<Result>(
        prefix: Int = .max, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try withExtendedLifetime(self) {
            try body(UnsafeRawBufferPointer(start: base, count: min(prefix, count)))
        }
    }

    package func removeAll() {
        count = 0
    }

    /// Starts with COPY's header, for rows that are taken from another buffer.
    package func beginCopy() {
        removeAll()
        CopyCursor.header.withUnsafeBytes { append($0) }
    }

    /// Ends with COPY's trailer.
    func endCopy() {
        append(bigEndian: Int16(-1))
    }

    /// Appends a row as it stands in another buffer.
    package func append(row: UnsafeRawBufferPointer) {
        append(row)
    }

    private func append(_ bytes: UnsafeRawBufferPointer) {
        if let base = bytes.baseAddress { append(base, bytes.count) }
    }

    func append(bigEndian value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { append($0) }
    }

    func append(_ source: UnsafeRawPointer, _ length: Int) {
        if count + length > capacity { grow(length) }
        (base.unsafelyUnwrapped + count).copyMemory(from: source, byteCount: length)
        count += length
    }

    /// By half: the memory that was grown out of is the system's again only when it is large.
    private func grow(_ extra: Int) {
        capacity = max(64 * 1024, capacity + capacity / 2, count + extra)
        guard let larger = realloc(base, capacity) else { preconditionFailure("there is no memory for \(capacity) bytes") }
        base = larger
    }
}

/// Walks the rows in the bytes of one binary COPY from its start, without copying a field.
package struct CopyCursor {
    private static let signature: [UInt8] = [
        0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00,
    ]

    /// Signature, flags, and the length of an extension that is not there.
    static let header = signature + [UInt8](repeating: 0, count: 8)

    private let bytes: UnsafeRawBufferPointer
    private var at: Int

    /// - Throws: ``PostgresError/Code/unexpectedResult`` where the bytes do not begin with COPY's header.
    package init(_ bytes: UnsafeRawBufferPointer) throws {
        self.bytes = bytes
        let header = Self.signature.count + 8
        guard bytes.count >= header, bytes.prefix(Self.signature.count).elementsEqual(Self.signature) else {
            throw PostgresError(.unexpectedResult, "COPY did not send its header")
        }
        let extra = bytes.loadUnaligned(fromByteOffset: Self.signature.count + 4, as: UInt32.self).bigEndian
        at = header + Int(extra)
        guard at <= bytes.count else { throw Self.malformed }
    }

    /// Where the next row begins, as an offset into the bytes.
    package var offset: Int { at }

    /// Reads the next row into `fields`: nil for null, else a view that lives as long as the bytes.
    ///
    /// - Returns: false at the trailer or at the end of the bytes.
    /// - Throws: ``PostgresError/Code/unexpectedResult`` for another number of fields or a row that is not whole.
    @inline(__always)
    package mutating func next(_ fields: UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>?>) throws -> Bool {
        guard at &+ 2 <= bytes.count, let base = bytes.baseAddress else { return false }
        let count = Int16(bigEndian: base.loadUnaligned(fromByteOffset: at, as: Int16.self))
        if count < 0 { return false }
        guard count == fields.count else { throw Self.malformed }
        at &+= 2
        for index in 0..<fields.count {
            guard at &+ 4 <= bytes.count else { throw Self.malformed }
            let length = Int(Int32(bigEndian: base.loadUnaligned(fromByteOffset: at, as: Int32.self)))
            at &+= 4
            if length < 0 {
                fields[index] = nil
                continue
            }
            guard at &+ length <= bytes.count else { throw Self.malformed }
            fields[index] = UnsafeBufferPointer(
                start: (base + at).assumingMemoryBound(to: UInt8.self), count: length)
            at &+= length
        }
        return true
    }

    private static let malformed = PostgresError(.unexpectedResult, "COPY sent a row of another shape")
}

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
