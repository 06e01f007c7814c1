/// Receives the bytes of a workbook, in order and once each.
///
/// The writer calls a sink on the thread that writes the workbook, mostly with a compressed block of some hundred kilobytes. An
/// error that the sink throws ends the workbook and reaches the caller unchanged.
public protocol ByteSink: AnyObject {
    /// Takes the next bytes, which are valid only during the call.
    func write(_ bytes: RawSpan) throws
}

/// A sink that keeps every byte in memory: for small workbooks, tests and examples.
public final class MemorySink: ByteSink {
    /// All bytes of the workbook so far.
    public private(set) var bytes: [UInt8] = []

    /// A sink without bytes.
    public init() {}

    /// Appends the bytes.
    public func write(_ bytes: RawSpan) {
        // SAFETY: the bytes are copied during the call.
        unsafe bytes.withUnsafeBytes { unsafe self.bytes.append(contentsOf: $0) }
    }
}
