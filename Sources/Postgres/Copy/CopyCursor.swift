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
