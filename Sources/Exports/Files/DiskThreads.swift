internal import Archive
private import Foundation
private import Synchronization

/// Threads for calls that may block on a disk. Each call has a thread of its own, and no caller waits longer than a timeout.
///
/// A system call on a file cannot be cancelled, so a call that hangs keeps its thread. ``DiskSchedule`` limits their number.
package final class DiskThreads: Sendable {
    /// The group whose threads a call uses.
    package typealias Lane = DiskSchedule.Lane
    /// The limits of calls.
    package typealias Limits = DiskSchedule.Limits

    private struct Caller {
        let start: @Sendable () -> Void
        let fail: @Sendable (any Error) -> Void
    }

    private struct State {
        var schedule: DiskSchedule
        var callers: [Int: Caller] = [:]
        var nextNumber = 0
        /// Whether a task checks for calls whose time is up.
        var isWatched = false

        mutating func makeNumber() -> Int {
            nextNumber += 1
            return nextNumber
        }
    }

    private let tick: Duration
    private let state: Mutex<State>

    /// Threads with these limits.
    package init(limits: Limits = Limits()) {
        tick = min(limits.timeout, limits.ownTimeout) / 4
        state = Mutex(State(schedule: DiskSchedule(limits: limits)))
    }

    /// Calls that have taken longer than a caller waits.
    package var stuck: Int { state.withLock { $0.schedule.stuck(at: .now) } }

    /// Calls that wait for a thread.
    var waiting: Int { state.withLock { $0.schedule.waitingCount } }

    /// Runs the body on a thread of the lane.
    ///
    /// If the task is cancelled, a caller stops waiting at once. A part of the service waits for the end of the body or its
    /// timeout. The result is then dropped, so its `deinit` has to close what it holds.
    ///
    /// - Parameter target: the file, or the operation on the disk, on which the body may hang.
    /// - Throws: if no thread of the lane is free in time, ``TooManyFileOperations`` for a caller and ``ArchiveError`` for a
    ///   part of the service; ``ArchiveError`` if the call does not end in time; CancellationError; what the body throws.
    package func run<Value: Sendable>(
        in lane: Lane, on target: String, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let continuation = Mutex<CheckedContinuation<Value, any Error>?>(nil)
        // Only the first result is used.
        let finish: @Sendable (Result<Value, any Error>) -> Void = { result in
            continuation.withLock { $0.take() }?.resume(with: result)
        }
        let number = state.withLock { $0.makeNumber() }
        let caller = Caller(
            start: { [self] in
                let thread = Thread { [self] in
                    let result = Result { try body() }
                    // Before the caller continues, because it may make another call at once.
                    end(number)
                    finish(result)
                }
                thread.name = "disk"
                thread.stackSize = 512 * 1_024
                thread.start()
            }, fail: { finish(.failure($0)) })
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { new in
                continuation.withLock { $0 = new }
                if lane.isCaller, Task.isCancelled {
                    finish(.failure(CancellationError()))
                } else {
                    submit(number, lane, target, caller)
                }
            }
        } onCancel: {
            guard lane.isCaller else { return }
            state.withLock { state in
                if state.schedule.withdraw(number) { state.callers[number] = nil }
            }
            finish(.failure(CancellationError()))
        }
    }

    private func submit(_ number: Int, _ lane: Lane, _ target: String, _ caller: Caller) {
        do {
            let (isStarted, isFirst) = try state.withLock { state in
                let isStarted = try state.schedule.submit(number, lane, target, at: .now)
                state.callers[number] = caller
                defer { state.isWatched = true }
                return (isStarted, !state.isWatched)
            }
            if isStarted { caller.start() }
            if isFirst { Task.detached { await self.watch() } }
        } catch {
            caller.fail(error)
        }
    }

    private func end(_ number: Int) {
        let started = state.withLock { state in
            state.callers[number] = nil
            return state.schedule.end(number, at: .now).compactMap { state.callers[$0] }
        }
        for caller in started { caller.start() }
    }

    /// Fails the calls whose time is up, as long as calls run. A timer for each call would remain until its time, even if the
    /// call ends at once.
    private func watch() async {
        while true {
            try? await Task.sleep(for: tick)
            let failed: [(Caller, any Error)]? = state.withLock { state in
                if state.schedule.isIdle {
                    state.isWatched = false
                    return nil
                }
                return state.schedule.overdue(at: .now).compactMap { call in
                    let caller = call.isWaiting ? state.callers.removeValue(forKey: call.number) : state.callers[call.number]
                    return caller.map { ($0, call.error) }
                }
            }
            guard let failed else { return }
            for (caller, error) in failed { caller.fail(error) }
        }
    }

    /// Counts the reads of a transfer, which has a thread of its own. The first read begins now.
    ///
    /// - Returns: a function to call with true before each read, and with false after it.
    func countReads(of file: String) -> @Sendable (Bool) -> Void {
        let number = state.withLock { $0.makeNumber() }
        let count: @Sendable (Bool) -> Void = { [self] isReading in
            if isReading { state.withLock { $0.schedule.beginRead(number, of: file, at: .now) } } else { end(number) }
        }
        count(true)
        return count
    }
}
