/// The position of a field's value in the bytes of a COPY or a result.
package struct CopyField: Sendable {
    /// The offset of the first byte.
    package let start: Int
    /// The number of bytes; negative for null.
    package let count: Int

    /// A field that is null.
    package static let null = CopyField(start: 0, count: -1)

    /// The range of the value in the bytes; nil for null.
    @inlinable @inline(__always) package var range: Range<Int>? { count < 0 ? nil : start..<start &+ count }
}

/// The bytes of a binary COPY (PostgreSQL manual, COPY, "Binary Format"). The memory is filled, read and filled again.
///
/// Unchecked: it is handed over and never shared. A connection fills it; the next owner only reads.
package final class CopyBuffer: @unchecked Sendable {
    /// Header, rows and trailer, as the server sent them.
    package private(set) var bytes: [UInt8] = []

    /// An empty buffer without memory.
    package init() {}

    /// The number of bytes.
    package var count: Int { bytes.count }
    /// The number of bytes for which it has memory.
    package var capacity: Int { bytes.capacity }

    /// Empties the buffer and keeps its memory.
    package func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }

    /// Empties the buffer and writes COPY's header, for rows from another buffer.
    package func beginCopy() {
        removeAll()
        append(CopyRows.header.span)
    }

    /// Writes COPY's trailer.
    func endCopy() {
        append(bigEndian: Int16(-1))
    }

    /// Appends a row of another buffer.
    package func append(_ row: Span<UInt8>) {
        // SAFETY: the bytes are copied during the call.
        unsafe row.withUnsafeBytes { unsafe append($0) }
    }

    func append(bigEndian value: some FixedWidthInteger) {
        // SAFETY: an integer's bytes, copied during the call.
        unsafe withUnsafeBytes(of: value.bigEndian) { unsafe append($0) }
    }

    func append(_ source: UnsafeRawBufferPointer) {
        unsafe bytes.appendBytes(source)
    }

    /// Lets the body append to the bytes, in one access.
    func fill<Result>(_ body: (inout [UInt8]) throws -> Result) rethrows -> Result {
        try body(&bytes)
    }
}

/// The rows of one binary COPY, one after the other. No field is copied.
package struct CopyRows: ~Copyable {
    private static let signature: [UInt8] = [
        0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00,
    ]

    /// Signature, flags and the length of the header extension, which is 0.
    fileprivate static let header = signature + [UInt8](repeating: 0, count: 8)

    /// The bytes of the whole COPY.
    package let bytes: [UInt8]
    /// The fields of the current row.
    package private(set) var fields: [CopyField]
    private var start = 0
    private var end: Int

    /// The range of the current row in the bytes.
    package var row: Range<Int> { start..<end }

    /// - Parameter width: the number of fields of a row.
    /// - Throws: ``PostgresError/Code/unexpectedResult`` if the bytes do not begin with COPY's header.
    package init(_ copy: CopyBuffer, width: Int) throws {
        let header = Self.header.count
        guard copy.count >= header, copy.bytes.starts(with: Self.signature) else {
            throw PostgresError(.unexpectedResult, "COPY did not send its header")
        }
        let extensionLength = Int(copy.bytes.span.bigEndian(at: header - 4, as: UInt32.self))
        guard extensionLength <= copy.count - header else { throw Self.malformed }
        bytes = copy.bytes
        fields = Array(repeating: .null, count: width)
        end = header + extensionLength
    }

    /// Goes to the next row.
    ///
    /// - Returns: false at the trailer or at the end of the bytes.
    /// - Throws: ``PostgresError/Code/unexpectedResult`` for another number of fields, or an incomplete row.
    package mutating func next() throws -> Bool {
        // Moved out and back: a span of `fields` and one of `bytes` would both be accesses to this value.
        var fields: [CopyField] = []
        swap(&fields, &self.fields)
        defer { swap(&fields, &self.fields) }
        var places = fields.mutableSpan
        guard let next = try Self.readRow(at: end, of: bytes.span, into: &places) else { return false }
        start = end
        end = next
        return true
    }

    /// - Returns: the offset of the next row; nil at the trailer or at the end of the bytes.
    @inline(__always)
    private static func readRow(
        at offset: Int, of bytes: Span<UInt8>, into fields: inout MutableSpan<CopyField>
    ) throws -> Int? {
        var at = offset
        guard at &+ 2 <= bytes.count else { return nil }
        let count = bytes.bigEndian(at: at, as: Int16.self)
        if count < 0 { return nil }
        guard count == fields.count else {
            throw PostgresError(.unexpectedResult, "COPY sent a row of \(count) fields, and \(fields.count) are expected")
        }
        at &+= 2
        for index in fields.indices {
            guard at &+ 4 <= bytes.count else { throw malformed }
            let length = Int(bytes.bigEndian(at: at, as: Int32.self))
            at &+= 4
            fields[index] = CopyField(start: at, count: length)
            at &+= max(0, length)
            guard at <= bytes.count else { throw malformed }
        }
        return at
    }

    private static let malformed = PostgresError(.unexpectedResult, "COPY sent an incomplete row")
}

extension [UInt8] {
    /// Grows in few steps, because each step copies the bytes to new memory. The part of a large allocation that is not used takes an address
    /// range and no memory.
    @inline(__always)
    mutating func appendBytes(_ source: UnsafeRawBufferPointer) {
        let needed = count &+ source.count
        if needed > capacity { reserveCapacity(Swift.max(nextCapacity, needed)) }
        // SAFETY: bytes have no other type, and are copied during the call.
        unsafe append(contentsOf: source.assumingMemoryBound(to: UInt8.self))
    }

    /// 64 KiB hold a small result, and 4 MiB hold a page of usual rows.
    private var nextCapacity: Int {
        switch capacity {
        case ..<0x1_0000: 0x1_0000
        case ..<0x40_0000: 0x40_0000
        default: capacity + capacity / 2
        }
    }
}

extension Span<UInt8> {
    /// An integer in network byte order, as PostgreSQL's binary format has it.
    @inline(__always)
    fileprivate func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type) -> Value {
        // SAFETY: the load checks its bounds, and any bits are an integer.
        unsafe Value(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}
