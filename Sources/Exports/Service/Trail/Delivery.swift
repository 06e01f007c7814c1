package import Archive
private import Synchronization
private import SystemPackage

/// The delivery of a workbook that the audit trail has as `downloaded`.
///
/// The trail gets `downloaded` before the first byte is sent. If the delivery then fails, the trail gets one `undelivered`
/// event with the first reason.
package final class Delivery: Sendable {
    /// Why a workbook did not arrive. The audit trail has the raw values.
    package enum Failure: String, Sendable, CaseIterable {
        /// The user, or all users, have too many transfers.
        case tooManyTransfers = "too-many-transfers"
        /// The archive is damaged or missing, or its disk does not answer.
        case archiveUnreadable = "archive-unreadable"
        /// The process has no free file descriptor.
        case noDescriptorLeft = "no-descriptor-left"
        /// The caller cancelled the request.
        case cancelled = "cancelled"
        /// The reply was not sent.
        case notSent = "reply-not-sent"
        /// The reader closed the pipe before it had read all of the workbook.
        case readerGone = "reader-gone"
        /// The reader of the pipe read nothing for too long.
        case readerStalled = "reader-stalled"
        /// The service stopped before the reader had read all of the workbook.
        case serviceStopped = "service-stopped"
        /// The answer to the commit was lost, so it is unknown whether the trail has the `downloaded` event.
        case databaseUnavailable = "database-unavailable"
        /// The service failed. Its log has the cause.
        case internalError = "internal-error"

        init(_ error: any Error) {
            switch error {
            case is CancellationError: self = .cancelled
            case is TooManyTransfers: self = .tooManyTransfers
            case let error as UnreadableArchive: self.init(error.fault)
            case let error as ArchiveError: self = error.isOutOfDescriptors ? .noDescriptorLeft : .archiveUnreadable
            default: self = .internalError
            }
        }
    }

    private let report: Mutex<(@Sendable (Failure, _ details: String) -> Void)?>

    init(_ report: @escaping @Sendable (Failure, _ details: String) -> Void) {
        self.report = Mutex(report)
    }

    /// Reports a failure. Only the first one is recorded.
    ///
    /// - Parameter bytes: the number of bytes that the reader has read, and the number that it was to read.
    package func failed(_ failure: Failure, bytes: (taken: Int, all: Int)? = nil) {
        let report = report.withLock { $0.take() }
        report?(failure, bytes.map { #"{"bytes": \#($0.taken), "of": \#($0.all)}"# } ?? "{}")
    }

    /// Reports the failure that an error stands for.
    package func failed(_ error: any Error) {
        failed(Failure(error))
    }
}

extension ArchiveError {
    /// Whether the process or the system has no free file descriptor (EMFILE, ENFILE).
    package var isOutOfDescriptors: Bool { errno == .tooManyOpenFiles || errno == .tooManyOpenFilesInSystem }
}
