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
