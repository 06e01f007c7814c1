internal import Archive
private import Foundation
package import Logging
internal import ServiceLifecycle
private import Synchronization
internal import SystemPackage

/// The transfers of workbooks through pipes. Their number is limited. Each has a thread of its own, because both the disk and
/// the reader may be slow.
package final class Transfers: Service {
    /// The limits on transfers.
    package struct Limits: Sendable {
        /// Transfers at the same time.
        package var total = 64
        /// Transfers of one user at the same time.
        package var perUser = 16
        /// How long a reader may read nothing.
        package var timeout: Duration = .seconds(30)

        /// The defaults.
        package init() {}
    }

    /// How long to wait for a reader that has the rest of its workbook in the pipe.
    private static let drainTimeout: Duration = .seconds(300)

    private let limits: @Sendable () -> Limits
    private let logger: Logger
    private let sent: @Sendable (Int) -> Void
    private let state = Mutex(State())

    private struct State {
        var running = Places()
        /// Transfers whose pipe contains the rest of the workbook, and whose reader has not read it yet.
        var draining = Places()
        var isStopped = false
        /// Finished when no transfer runs.
        var idleWaiters: [AsyncStream<Never>.Continuation] = []
    }

    /// The number of places of each user.
    private struct Places {
        private var ofUser: [Int: Int] = [:]

        var count: Int { ofUser.values.reduce(0, +) }

        mutating func take(_ user: Int, _ limits: Limits) -> Bool {
            let own = ofUser[user, default: 0]
            guard own < limits.perUser, count < limits.total else { return false }
            ofUser[user] = own + 1
            return true
        }

        mutating func release(_ user: Int) {
            let left = ofUser[user, default: 1] - 1
            ofUser[user] = left > 0 ? left : nil
        }
    }

    /// - Parameters:
    ///   - limits: called for each transfer.
    ///   - sent: called at the end of each transfer with the number of bytes that it has written.
    package init(
        limits: @escaping @Sendable () -> Limits, logger: Logger, sent: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.limits = limits
        self.sent = sent
        self.logger = logger
    }

    /// At shutdown, gives running transfers some time to finish, and then ends them. Their readers then receive fewer bytes
    /// than the size in the reply.
    package func run() async throws {
        try? await gracefulShutdown()
        await waitUntilIdle(atMost: .seconds(5))
        state.withLock { $0.isStopped = true }
        // Each transfer records what it has delivered. It gets the time for that if the service is cancelled, too.
        await Task { await waitUntilIdle(atMost: .seconds(1)) }.value
    }

    private func waitUntilIdle(atMost time: Duration) async {
        let (idle, waiter) = AsyncStream.makeStream(of: Never.self)
        let isIdle = state.withLock { state in
            state.idleWaiters.append(waiter)
            return state.running.count == 0
        }
        if isIdle { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: time) }
            group.addTask { for await _ in idle {} }
            await group.next()
            group.cancelAll()
        }
    }

    /// Frees the place of a transfer.
    ///
    /// - Parameter limits: the limits on transfers that wait for their readers; nil if this one does not wait.
    /// - Returns: whether the transfer gets a place to wait.
    private func release(_ user: Int, drains limits: Limits? = nil) -> Bool {
        let (isDraining, waiters): (Bool, [AsyncStream<Never>.Continuation]) = state.withLock { state in
            state.running.release(user)
            let isDraining = limits.map { state.draining.take(user, $0) } ?? false
            guard state.running.count == 0 else { return (isDraining, []) }
            defer { state.idleWaiters = [] }
            return (isDraining, state.idleWaiters)
        }
        for waiter in waiters { waiter.finish() }
        return isDraining
    }

    var isIdle: Bool { state.withLock { $0.running.count == 0 } }

    /// The number of running transfers.
    package var count: Int { state.withLock { $0.running.count } }

    /// Starts to feed a pipe with the reader's content.
    ///
    /// - Parameters:
    ///   - threads: counts the reads of the file.
    ///   - delivery: receives the reason if the reader of the pipe does not get all of the content.
    /// - Returns: the reading end of the pipe, which the caller closes.
    /// - Throws: ``TooManyTransfers``, ``ArchiveError``.
    func start(
        _ reader: SeekableReader, of file: String, from offset: Int, for user: Int, _ threads: DiskThreads,
        _ delivery: Delivery?
    ) throws -> FileDescriptor {
        let limits = limits()
        guard state.withLock({ $0.running.take(user, limits) }) else { throw TooManyTransfers() }
        do {
            let pipe = try ContentPipe(reader, from: offset, timeout: limits.timeout)
            guard let readEnd = pipe.takeReadEnd() else { preconditionFailure("a new pipe has both ends") }
            let reading = threads.countReads(of: file)
            let thread = Thread { [self] in
                let isComplete = feed(pipe, reading, delivery)
                // A transfer that only waits for its reader takes no place from others.
                if release(user, drains: isComplete ? limits : nil) {
                    awaitReader(of: pipe, delivery)
                    state.withLock { $0.draining.release(user) }
                }
            }
            thread.name = "transfer"
            thread.start()
            return readEnd
        } catch {
            _ = release(user)
            throw error
        }
    }

    /// - Returns: whether the pipe has taken all of the content.
    private func feed(_ pipe: ContentPipe, _ reading: (Bool) -> Void, _ delivery: Delivery?) -> Bool {
        defer {
            reading(false)
            sent(pipe.written)
        }
        do {
            let end = try pipe.feed(reading: reading) { !state.withLock { $0.isStopped } }
            logger.report(ExportEvent.transferEnded, [.end: end])
            switch end {
            case .complete: return true
            case .abandoned: delivery?.failed(.readerGone, bytes: pipe.taken)
            case .stopped: delivery?.failed(.serviceStopped, bytes: pipe.taken)
            case .stalled:
                delivery?.failed(.readerStalled, bytes: pipe.taken)
                logger.report(ExportEvent.transferStalled)
            }
        } catch {
            delivery?.failed(.archiveUnreadable, bytes: pipe.taken)
            logger.report(ExportEvent.archiveUnreadable, [.error: error])
        }
        return false
    }

    /// Waits for the reader of a pipe that contains the rest. A slow reader may still read it. If the reader closes the pipe
    /// before, reports that the delivery failed.
    private func awaitReader(of pipe: ContentPipe, _ delivery: Delivery?) {
        guard pipe.readerLeaves(within: Self.drainTimeout, while: { !state.withLock { $0.isStopped } }) else { return }
        delivery?.failed(.readerGone, bytes: pipe.taken)
    }
}

/// A user, or all users together, have as many transfers as allowed.
package struct TooManyTransfers: Error, Sendable {}
