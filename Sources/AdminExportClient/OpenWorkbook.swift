public import AdminExportAPI
private import Dispatch
public import Foundation
internal import Sockets

/// A workbook that the service has handed out: a pipe of its bytes, or its archive.
///
/// The descriptor is closed when this goes. To be read by one task.
public final class OpenWorkbook: Sendable {
    /// Bytes that are read at once, at most.
    private static let part = 256 * 1024
    /// How long the service may give nothing.
    private static let patience: Int32 = 60

    private let descriptor: PassedDescriptor
    /// Reads block, and must not do so on a thread of the task pool.
    private let queue = DispatchQueue(label: "workbook-reader")
    public let details: ExportOpen.Result

    /// Bytes of the whole workbook.
    public var size: Int { details.size }

    init(_ details: ExportOpen.Result, _ descriptor: PassedDescriptor) throws {
        var status = stat()
        // Nothing else is read from: a device or a directory would be a trap.
        guard fstat(descriptor.raw, &status) == 0, [S_IFIFO, S_IFREG].contains(status.st_mode & S_IFMT) else {
            throw ClientError(.protocolViolation, "the service passed something that is no file and no pipe")
        }
        self.details = details
        self.descriptor = descriptor
    }

    /// A descriptor of the caller's own, to be closed by them.
    ///
    /// - Throws: ``ClientError``: `descriptorLost`.
    public func duplicateDescriptor() throws -> Int32 {
        do {
            return try descriptor.duplicate()
        } catch {
            throw ClientError(.descriptorLost, error.message)
        }
    }

    /// The next bytes; nil at the end, which comes too early where the service had to stop.
    ///
    /// - Throws: ``ClientError``: `timedOut`, `connectionLost`.
    public func read() async throws -> Data? {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [descriptor] in
                continuation.resume(with: Result { try Self.read(descriptor.raw) })
            }
        }
    }

    private static func read(_ raw: Int32) throws -> Data? {
        var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, patience * 1_000) != 0 else {
            throw ClientError(
                .timedOut, "the service gave nothing of the workbook for \(patience) seconds", isRetryable: true)
        }
        var bytes = Data(count: part)
        let count = bytes.withUnsafeMutableBytes { Foundation.read(raw, $0.baseAddress, $0.count) }
        guard count >= 0 else {
            throw ClientError(.connectionLost, "the workbook cannot be read: \(String(cString: strerror(errno)))")
        }
        return count == 0 ? nil : bytes.prefix(count)
    }
}
