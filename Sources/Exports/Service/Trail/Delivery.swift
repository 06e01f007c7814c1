package import Archive
private import Synchronization
private import SystemPackage

/// A workbook that the audit trail has as downloaded, until it is known how its delivery has ended.
///
/// The trail says `downloaded` before the first byte leaves. Where the delivery then fails it says `undelivered` besides, once,
/// with the first reason that is seen.
package final class Delivery: Sendable {
    /// Why a workbook has not arrived. The raw values stand in the audit trail.
    package enum Failure: String, Sendable, CaseIterable {
        case tooManyTransfers = "too-many-transfers"
        case archiveUnreadable = "archive-unreadable"
        case noDescriptorLeft = "no-descriptor-left"
        case cancelled = "cancelled"
        case notSent = "reply-not-sent"
        /// It closed the pipe before it had read all of it.
        case readerGone = "reader-gone"
        case readerStalled = "reader-stalled"
        case serviceStopped = "service-stopped"
        /// Whether the trail has it as downloaded is not known: the answer to the commit got lost.
        case databaseUnavailable = "database-unavailable"
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

    /// - Parameter bytes: how many the reader has taken, and how many there were for it.
    package func failed(_ failure: Failure, bytes: (taken: Int, all: Int)? = nil) {
        let report = report.withLock { $0.take() }
        report?(failure, bytes.map { #"{"bytes": \#($0.taken), "of": \#($0.all)}"# } ?? "{}")
    }

    package func failed(_ error: any Error) {
        failed(Failure(error))
    }
}

extension ArchiveError {
    package var isOutOfDescriptors: Bool { errno == .tooManyOpenFiles || errno == .tooManyOpenFilesInSystem }
}
