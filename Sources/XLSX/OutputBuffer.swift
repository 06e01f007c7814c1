/// A growing buffer of bytes that is filled, emptied and filled again. It does not allocate once it has its size.
///
/// It is a class with a raw pointer instead of an array, because the hot path appends some 60 short pieces for each row:
/// reference counts and uniqueness checks for each piece would cost too much.
///
/// SAFETY: `count` never exceeds `capacity`, and the memory has `lead` bytes before `base`, and `capacity` and `slack` bytes from it
/// on, which this object alone owns; `window` never exceeds `lead`. Each append reserves its room first. Only code that takes ``end``
/// must itself stay within the room that it has reserved. Nobody changes a buffer while ``withBytes(_:)`` or ``withWindow(_:)`` lends
/// its bytes.
@safe package final class OutputBuffer {
    /// Bytes after the reserved ones that an append may overwrite: short pieces are copied 16 bytes at a time, whatever their
    /// length.
    static let slack = 64

    private var base: UnsafeMutablePointer<UInt8>
    /// The number of bytes.
    package private(set) var count = 0
    private var capacity: Int
    /// The bytes of memory before the first one, and how many of them are the window.
    private var lead = 0
    private var window = 0

    /// An empty buffer; the capacity is in bytes and grows when needed.
    package init(capacity: Int = 64 * 1024) {
        self.capacity = capacity
        unsafe base = .allocate(capacity: capacity + Self.slack)
    }

    /// Makes room for a window and for the bytes of a block, so that the buffer need not grow.
    func prepareForBlock() {
        let (lead, capacity) = (DeflateRing.windowSize, ZipWriter.blockSize + ZipWriter.blockSize / 4)
        if self.lead < lead || self.capacity < capacity { move(lead: lead, capacity: max(capacity, self.capacity)) }
    }

    deinit {
        unsafe (base - lead).deallocate()
    }

    /// Lends the bytes. This is not a property because the buffer could be released after its last use, before the last use of
    /// the bytes.
    @inline(__always)
    package func withBytes<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) {
            try unsafe body(Span(_unsafeStart: base, count: count))
        }
    }

    /// Puts the last bytes of another buffer before the first byte of this one, for ``withWindow(_:)``.
    func setWindow(_ other: OutputBuffer) {
        let bytes = min(DeflateRing.windowSize, other.count)
        if lead < bytes { move(lead: DeflateRing.windowSize, capacity: capacity) }
        unsafe (base - bytes).update(from: other.base + (other.count - bytes), count: bytes)
        window = bytes
    }

    /// Lends the window and the bytes after it, and the number of bytes of the window.
    func withWindow<Result>(_ body: (Span<UInt8>, Int) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) {
            try unsafe body(Span(_unsafeStart: base - window, count: window + count), window)
        }
    }

    /// The address of a byte, valid until the next append and as long as the buffer.
    @inline(__always)
    func address(at offset: Int) -> UnsafeRawPointer { unsafe UnsafeRawPointer(base + offset) }

    /// Empties the buffer, also of its window, and keeps its memory.
    package func removeAll() {
        count = 0
        window = 0
    }

    /// Removes the bytes from an offset on.
    func removeAll(from offset: Int) {
        count = min(count, offset)
    }

    /// Exchanges the contents of two buffers without copying them.
    func exchange(with other: OutputBuffer) {
        unsafe (base, other.base) = (other.base, base)
        (count, other.count) = (other.count, count)
        (capacity, other.capacity) = (other.capacity, capacity)
        (lead, other.lead) = (other.lead, lead)
        (window, other.window) = (other.window, window)
    }

    /// Makes room for `extra` more bytes.
    @inline(__always)
    func reserve(_ extra: Int) {
        if count &+ extra > capacity { grow(extra) }
    }

    @inline(never)
    private func grow(_ extra: Int) {
        move(lead: lead, capacity: max(capacity * 2, count + extra))
    }

    /// Moves the bytes, without the window, to other memory.
    private func move(lead newLead: Int, capacity newCapacity: Int) {
        let moved = unsafe UnsafeMutablePointer<UInt8>.allocate(capacity: newLead + newCapacity + Self.slack) + newLead
        unsafe moved.update(from: base, count: count)
        unsafe (base - lead).deallocate()
        unsafe base = moved
        (lead, capacity, window) = (newLead, newCapacity, 0)
    }

    /// The address of the next byte, for code that writes into reserved room itself and then calls ``advance(to:)``.
    @inline(__always)
    var end: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(base + count) }

    /// The offset of an address in the reserved room.
    @inline(__always)
    func offset(of address: UnsafeMutableRawPointer) -> Int {
        unsafe address - UnsafeMutableRawPointer(base)
    }

    @inline(__always)
    func advance(to end: UnsafeMutableRawPointer) {
        count = unsafe end - UnsafeMutableRawPointer(base)
    }

    @inline(__always)
    func append(_ byte: UInt8) {
        reserve(1)
        unsafe base[count] = byte
        count &+= 1
    }

    @inline(__always)
    func append(_ bytes: Span<UInt8>) {
        reserve(bytes.count)
        unsafe bytes.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe (base + count).update(from: start, count: bytes.count)
        }
        count &+= bytes.count
    }

    @inline(__always)
    func append(literal: StaticString) {
        reserve(literal.utf8CodeUnitCount)
        unsafe (base + count).update(from: literal.utf8Start, count: literal.utf8CodeUnitCount)
        count &+= literal.utf8CodeUnitCount
    }

    func append(_ string: String) {
        append(string.utf8.span)
    }

    func append(_ other: OutputBuffer) {
        other.withBytes { append($0) }
    }

    func append(littleEndian value: some FixedWidthInteger & UnsignedInteger) {
        var rest = value
        for _ in 0..<(value.bitWidth / 8) {
            append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }
}

/// Decimal digits, two at a time.
enum Decimal {
    private static let pairs: StaticString = """
        000102030405060708091011121314151617181920212223242526272829303132333435363738394041424344454647484950515253545556575859\
        60616263646566676869707172737475767778798081828384858687888990919293949596979899
        """

    /// Writes the digits and gives the place behind them.
    ///
    /// SAFETY: the caller has room for ten bytes, the digits of the largest value. The table has two digits for each number
    /// below 100.
    @inline(__always)
    static func write(_ value: UInt32, to target: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        let end = unsafe target + length(value)
        var at = unsafe end
        var rest = value
        let pairs = unsafe UnsafeRawPointer(Self.pairs.utf8Start)
        while rest >= 100 {
            unsafe at -= 2
            unsafe at.storeBytes(
                of: pairs.loadUnaligned(fromByteOffset: Int(rest % 100) &* 2, as: UInt16.self), as: UInt16.self)
            rest /= 100
        }
        if rest >= 10 {
            unsafe (at - 2).storeBytes(
                of: pairs.loadUnaligned(fromByteOffset: Int(rest) &* 2, as: UInt16.self), as: UInt16.self)
        } else {
            unsafe (at - 1).storeBytes(of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        }
        return unsafe end
    }

    @inline(__always)
    private static func length(_ value: UInt32) -> Int {
        if value < 10_000 { return value < 100 ? (value < 10 ? 1 : 2) : (value < 1_000 ? 3 : 4) }
        if value < 100_000_000 {
            return value < 1_000_000 ? (value < 100_000 ? 5 : 6) : (value < 10_000_000 ? 7 : 8)
        }
        return value < 1_000_000_000 ? 9 : 10
    }
}
