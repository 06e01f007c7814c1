package import Archive
private import Foundation
package import Logging
internal import ServiceLifecycle
private import Synchronization
package import SystemPackage

/// Workbooks on their way through pipes: a bounded number, each with a thread of its own, since a disk and a reader may
/// both be slow.
package final class Transfers: Service {
    package struct Limits: Sendable {
        /// At a time.
        package var total = 64
        package var perUser = 16
        /// How long a reader may take nothing.
        package var timeout: Duration = .seconds(30)

        package init() {}
    }

    /// Pipes of one archive that may wait for the disk when another one begins, and how long a read that does not hang takes.
    private static let maxSlow = 2
    private static let slow: Duration = .seconds(1)
    /// How long a reader is waited for that has the rest of its workbook in the pipe.
    private static let longestWatch: Duration = .seconds(300)

    private let limits: @Sendable () -> Limits
    private let logger: Logger
    private let sent: @Sendable (Int) -> Void
    private let state = Mutex(State())

    private struct State {
        var running = Places()
        /// Those that are written whole, and whose readers have not taken all of it yet.
        var watched = Places()
        var pipes: [ObjectIdentifier: (pipe: ContentPipe, archive: String)] = [:]
        var isStopped = false
    }

    private struct Places {
        private var ofUser: [Int: Int] = [:]

        var count: Int { ofUser.values.reduce(0, +) }

        mutating func take(_ user: Int, _ limits: Limits) -> Bool {
            let own = ofUser[user, default: 0]
            guard own < limits.perUser, count < limits.total else { return false }
            ofUser[user] = own + 1
            return true
        }

        mutating func giveBack(_ user: Int) {
            let left = ofUser[user, default: 1] - 1
            ofUser[user] = left > 0 ? left : nil
        }
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

    /// At shutdown, gives workbooks that are on their way some time to arrive, and then ends them: their readers find the pipe
    /// shorter than the size that they were told.
    package func run() async throws {
        try? await gracefulShutdown()
        await waitUntilIdle(atMost: .seconds(5))
        state.withLock { $0.isStopped = true }
        // Each records what it has delivered.
        await waitUntilIdle(atMost: .seconds(1))
    }

    private func waitUntilIdle(atMost time: Duration) async {
        let deadline = ContinuousClock.now + time
        while !isIdle, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(20)) }
    }

    var isIdle: Bool { state.withLock { $0.running.count == 0 } }

    /// How many wait for the disk for longer than anybody waits for it elsewhere.
    package var stuck: Int {
        let limit = ContinuousClock.now - DiskThreads.Limits().timeout
        return state.withLock { $0.pipes.values.count { $0.pipe.readingSince.map { $0 < limit } ?? false } }
    }

    /// Since when which pipes of an archive have waited for the disk.
    private func waits(_ archive: String) -> [ObjectIdentifier: ContinuousClock.Instant] {
        state.withLock { state in
            state.pipes.compactMapValues { $0.archive == archive ? $0.pipe.readingSince : nil }
        }
    }

    /// Waits while too many pipes of the archive wait for the disk: one archive that hangs must not use the places up before that is
    /// known. Ends soon: each of the reads that are under way does, or counts as hanging.
    private func waitForOthers(_ archive: String) throws {
        let begun = waits(archive)
        while true {
            let now = ContinuousClock.now
            let left = waits(archive).filter { begun[$0.key] == $0.value }.values.map { $0.duration(to: now) }
            if left.contains(where: { $0 > DiskThreads.Limits().timeout })
                || left.count(where: { $0 > Self.slow }) >= Self.maxSlow
            {
                throw DiskThreads.noAnswer
            }
            if left.count < Self.maxSlow { return }
            Thread.sleep(forTimeInterval: 0.005)
        }
    }

    /// How many run.
    package var count: Int { state.withLock { $0.running.count } }

    /// Starts to feed a pipe with the reader's content, and gives its reading end, which the caller closes. Blocks where others
    /// wait for the disk.
    ///
    /// - Parameters:
    ///   - archive: what the reader reads.
    ///   - delivery: told where the reader does not get all of it.
    /// - Throws: ``TooManyTransfers``, ``ArchiveError``.
    package func start(
        _ reader: SeekableReader, of archive: String, from offset: Int, for user: Int, _ delivery: Delivery?
    ) throws -> FileDescriptor {
        try waitForOthers(archive)
        let limits = limits()
        guard state.withLock({ $0.running.take(user, limits) }) else { throw TooManyTransfers() }
        do {
            let pipe = try ContentPipe(reader, from: offset, timeout: limits.timeout)
            guard let readEnd = pipe.takeReadEnd() else { preconditionFailure("a new pipe has both ends") }
            state.withLock { $0.pipes[ObjectIdentifier(pipe)] = (pipe, archive) }
            let thread = Thread { [self] in
                let isWhole = feed(pipe, delivery)
                // One that only waits for its reader takes no place from others.
                let isWatched = state.withLock { state in
                    state.pipes[ObjectIdentifier(pipe)] = nil
                    state.running.giveBack(user)
                    return isWhole && state.watched.take(user, limits)
                }
                if isWatched {
                    watch(pipe, delivery)
                    state.withLock { $0.watched.giveBack(user) }
                }
            }
            thread.name = "transfer"
            thread.start()
            return readEnd
        } catch {
            state.withLock { $0.running.giveBack(user) }
            throw error
        }
    }

    /// - Returns: whether the pipe has taken all of it.
    private func feed(_ pipe: ContentPipe, _ delivery: Delivery?) -> Bool {
        defer { sent(pipe.written) }
        do {
            let end = try pipe.feed { !state.withLock { $0.isStopped } }
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

    /// Waits for the reader of a pipe that holds the rest. Whoever does not read it for long may still do so: only a reader that
    /// is gone is known to have got less.
    private func watch(_ pipe: ContentPipe, _ delivery: Delivery?) {
        guard pipe.readerLeaves(within: Self.longestWatch, while: { !state.withLock { $0.isStopped } }) else { return }
        delivery?.failed(.readerGone, bytes: pipe.taken)
    }
}

/// As many workbooks as may be are on their way already.
package struct TooManyTransfers: Error, Sendable {}
