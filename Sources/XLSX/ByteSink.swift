/// Where a workbook's bytes go, in order and once each.
///
/// A sink is called from the thread that writes the workbook, mostly a compressed block of some hundred kilobytes
/// at a time. An error that it throws
/// ends the workbook and reaches the caller unchanged.
public protocol ByteSink: AnyObject {
    func write(_ bytes: UnsafeRawBufferPointer) throws
}

/// A sink that keeps every byte in memory: for small workbooks, tests and examples.
public final class MemorySink: ByteSink {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public func write(_ bytes: UnsafeRawBufferPointer) {
        self.bytes.append(contentsOf: bytes)
    }
}
