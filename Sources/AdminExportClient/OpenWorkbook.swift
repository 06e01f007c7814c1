public import AdminExportAPI
private import Dispatch
public import Foundation
internal import Sockets
private import Synchronization

/// A workbook that the service has passed: a pipe with its bytes, or its archive.
///
/// The object closes the descriptor when it is released. Only one task may read from it.
public final class OpenWorkbook: Sendable {
    /// The largest number of bytes of one read.
    private static let blockBytes = 256 * 1_024
    /// How long the service may send no bytes, in seconds.
    private static let readTimeout: Int32 = 60

    private let descriptor: PassedDescriptor
    /// Reads block, so they must not run on a thread of the task pool.
    private let queue = DispatchQueue(label: "workbook-reader")
    /// The reply of the service: sizes, SHA-256, and file name.
    public let details: ExportOpen.Result

    /// Bytes of the whole workbook.
    public var size: Int { details.size }

    init(_ details: ExportOpen.Result, _ descriptor: PassedDescriptor) throws {
        var status = stat()
        // Reading from a device or a directory could do harm.
        // SAFETY: the system fills one structure.
        guard unsafe fstat(descriptor.raw, &status) == 0, [S_IFIFO, S_IFREG].contains(status.st_mode & S_IFMT) else {
            throw ClientError(.protocolViolation, "the service passed a descriptor that is neither a file nor a pipe")
        }
        self.details = details
        self.descriptor = descriptor
    }

    /// Creates another descriptor of the same open file. The caller has to close it.
    ///
    /// - Throws: ``ClientError``: `descriptorLost`.
    public func duplicateDescriptor() throws -> Int32 {
        do {
            return try descriptor.duplicate()
        } catch {
            throw ClientError(.descriptorLost, error.message)
        }
    }

    /// Reads the next bytes.
    ///
    /// - Returns: up to 256 KiB; nil at the end. The end comes before ``size`` if the service had to stop.
    /// - Throws: ``ClientError``: `timedOut` after 60 seconds without bytes; `connectionLost`.
    public func read() async throws -> Data? {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [descriptor] in
                continuation.resume(with: Result { try Self.read(descriptor.raw) })
            }
        }
    }

    private static func read(_ raw: Int32) throws -> Data? {
        var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        // SAFETY: the system takes one entry and fills no more than the data; the text of an error is copied.
        guard unsafe poll(&entry, 1, readTimeout * 1_000) != 0 else {
            throw ClientError(
                .timedOut, "the service sent no byte of the workbook for \(readTimeout) seconds", isRetryable: true)
        }
        var bytes = Data(count: blockBytes)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe Foundation.read(raw, $0.baseAddress, $0.count) }
        guard count >= 0 else {
            throw unsafe ClientError(.connectionLost, "the workbook cannot be read: \(String(cString: strerror(errno)))")
        }
        return count == 0 ? nil : bytes.prefix(count)
    }
}

/// A descriptor that arrived with a reply.
enum Descriptor: Sendable {
    case arrived(PassedDescriptor)
    /// This process had too many open files to receive it.
    case lost
}

/// Descriptors that have arrived and that no result has taken yet, in order. A pure value.
///
/// One read from the socket can return several lines with their descriptors. Each result takes its descriptor from the front.
struct DescriptorQueue {
    /// A result takes its descriptor as soon as its line is read, so only a faulty service sends more than this.
    private static let maxCount = 16

    private var queue: [Descriptor] = []

    /// - Returns: false if there are more descriptors than calls can have asked for.
    mutating func add(_ received: ClientSocket.Received) -> Bool {
        queue += received.descriptors.map { .arrived($0) }
        // A message of this protocol carries one descriptor.
        if received.hasLostDescriptors { queue.append(.lost) }
        return queue.count <= Self.maxCount
    }

    mutating func next() -> Descriptor? {
        queue.isEmpty ? nil : queue.removeFirst()
    }
}

/// Carries a descriptor from the reading thread to the calling task.
final class DescriptorBox: Sendable {
    private let content = Mutex<Descriptor?>(nil)

    func put(_ descriptor: Descriptor?) {
        content.withLock { $0 = descriptor }
    }

    func take() -> Descriptor? {
        content.withLock { $0.take() }
    }
}
