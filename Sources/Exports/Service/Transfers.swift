package import Archive
private import Foundation
package import Logging
private import Synchronization
package import SystemPackage

/// Workbooks on their way through pipes: a bounded number, each with a thread of its own, since a disk and a reader may
/// both be slow.
package final class Transfers: Sendable {
    package struct Limits: Sendable {
        /// At a time.
        package var total = 64
        package var perUser = 16
        /// How long a reader may take nothing.
        package var patience: Duration = .seconds(30)

        package init() {}
    }

    private let limits: @Sendable () -> Limits
    private let logger: Logger
    private let sent: @Sendable (Int) -> Void
    private let state = Mutex(State())

    private struct State {
        /// By user id.
        var running: [Int: Int] = [:]
        var isStopped = false
    }

    /// - Parameters:
    ///   - limits: asked anew for each transfer.
    ///   - sent: told how many bytes a transfer has given out, at its end.
    package init(
        limits: @escaping @Sendable () -> Limits, logger: Logger, sent: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.limits = limits
        self.sent = sent
        self.logger = logger
    }

    /// Ends those that run; their readers find the pipe shorter than the size that they were told.
    package func stop() {
        state.withLock { $0.isStopped = true }
    }

    package var isIdle: Bool { state.withLock { $0.running.isEmpty } }

    /// How many run.
    package var count: Int { state.withLock { $0.running.values.reduce(0, +) } }

    /// Starts to feed a pipe with the reader's content, and gives its reading end, which the caller closes.
    ///
    /// - Throws: ``TooManyTransfers``, ``ArchiveError``.
    package func start(_ reader: SeekableReader, from offset: Int, for user: Int) throws -> FileDescriptor {
        try admit(user)
        do {
            let pipe = try ContentPipe(reader, from: offset, patience: limits().patience)
            guard let readEnd = pipe.takeReadEnd() else { preconditionFailure("a new pipe has both ends") }
            let thread = Thread { [self] in
                feed(pipe)
                release(user)
            }
            thread.name = "transfer"
            thread.start()
            return readEnd
        } catch {
            release(user)
            throw error
        }
    }

    private func feed(_ pipe: ContentPipe) {
        defer { sent(pipe.written) }
        do {
            let end = try pipe.feed { !state.withLock { $0.isStopped } }
            logger.debug("A transfer ended", metadata: ["end": "\(end)"])
            if end == .stalled { logger.notice("Dropped a transfer whose reader took nothing") }
        } catch {
            logger.error("An archive cannot be read", metadata: ["error": "\(error)"])
        }
    }

    private func admit(_ user: Int) throws(TooManyTransfers) {
        let limits = limits()
        let isAdmitted = state.withLock { state in
            let ofUser = state.running[user, default: 0]
            guard ofUser < limits.perUser, state.running.values.reduce(0, +) < limits.total else { return false }
            state.running[user] = ofUser + 1
            return true
        }
        guard isAdmitted else { throw TooManyTransfers() }
    }

    private func release(_ user: Int) {
        state.withLock { state in
            let left = state.running[user, default: 1] - 1
            state.running[user] = left > 0 ? left : nil
        }
    }
}

/// As many workbooks as may be are on their way already.
package struct TooManyTransfers: Error, Sendable {}
