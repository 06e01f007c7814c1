internal import Archive
private import Foundation
private import Synchronization

/// Threads for calls that may block on a disk: each call has one of its own, nobody waits for it longer than a bound, and a call
/// that does not come back keeps its thread and nothing else.
///
/// No system call on a file can be taken back. What can be bounded is how many hang, and who waits: a lane has so many threads and
/// no more, so that what one user asks for, or one part of the service, takes none of another's. A thing that is known to hang is
/// not tried again beside the call that hangs, so that one file does not use a lane up.
package final class DiskThreads: Sendable {
    /// Who calls, each with threads of its own.
    package enum Lane: Hashable, Sendable {
        /// A caller, by user id.
        case user(Int)
        /// The looks at the directory of archives that health, metrics and claims take.
        case look
        /// Exports: what attempts have left behind.
        case work
        /// The removal of files.
        case sweep

        fileprivate var isCaller: Bool {
            if case .user = self { true } else { false }
        }
    }

    package struct Limits: Sendable {
        /// Calls of one user at a time.
        package var perUser = 8
        /// Calls of all users.
        package var users = 48
        /// Calls of each part of the service.
        package var perPart = 4
        /// How long a caller waits for one, and after which a call counts as stuck.
        package var patience: Duration = .seconds(10)
        /// How long a part of the service waits: a disk under load may take long for an fsync.
        package var ownPatience: Duration = .seconds(30)

        package init() {}
    }

    private struct Running {
        let lane: Lane
        let thing: String
        let since: ContinuousClock.Instant
        /// Tells whoever waits that nobody does any more.
        let giveUp: @Sendable () -> Void
    }

    private struct State {
        var next = 0
        /// Since when.
        var running: [Int: Running] = [:]
        /// Somebody looks now and then whose time is up.
        var isWatched = false
        var count: [Lane: Int] = [:]
        var users = 0
    }

    private let limits: Limits
    private let state = Mutex(State())

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Calls that have not come back for longer than anybody waits.
    package var stuck: Int {
        let limit = ContinuousClock.now - limits.patience
        return state.withLock { $0.running.values.count { $0.since < limit } }
    }

    /// Runs the body on a thread.
    ///
    /// - Parameter thing: what it may hang on.
    ///
    /// A caller that goes away is let go at once, a part of the service when the body ends or its time is up. What the body
    /// gives after that is dropped, so it has to close itself.
    ///
    /// - Throws: ``TooManyFileOperations`` for a caller, an ``ArchiveError`` for the service, where as many calls run as may; an
    ///   ``ArchiveError`` where time is up; CancellationError; what the body throws.
    package func run<Answer: Sendable>(
        in lane: Lane, on thing: String, _ body: @escaping @Sendable () throws -> Answer
    ) async throws -> Answer {
        if lane.isCaller { try Task.checkCancellation() }
        let call = Call<Answer>()
        let number = try admit(lane, thing) { call.end(.failure(Self.noAnswer)) }
        let thread = Thread { [self] in
            let answer = Result { try body() }
            // First the place, so that whoever has the answer finds it free.
            release(number)
            call.end(answer)
        }
        thread.name = "disk"
        thread.stackSize = 512 * 1_024
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                call.wait(continuation)
                thread.start()
            }
        } onCancel: {
            if lane.isCaller { call.end(.failure(CancellationError())) }
        }
    }

    private static let noAnswer = ArchiveError(.storageFailed, "the archives' disk does not answer")

    private func patience(_ lane: Lane) -> Duration { lane.isCaller ? limits.patience : limits.ownPatience }

    /// Ends the waits whose time is up, while there are some. One for all of them: a timer for each would be there until its time
    /// has come, also where the call is over at once.
    private func watch() async {
        let tick = min(limits.patience, limits.ownPatience) / 4
        while true {
            try? await Task.sleep(for: tick)
            let overdue: [Running]? = state.withLock { state in
                if state.running.isEmpty {
                    state.isWatched = false
                    return nil
                }
                let now = ContinuousClock.now
                return state.running.values.filter { $0.since + patience($0.lane) <= now }
            }
            guard let overdue else { return }
            for call in overdue { call.giveUp() }
        }
    }

    private func admit(_ lane: Lane, _ thing: String, giveUp: @escaping @Sendable () -> Void) throws -> Int {
        let number: Int? = try state.withLock { state in
            let limit = ContinuousClock.now - patience(lane)
            // Callers wait for the same files, the parts of the service each for their own.
            let isHanging = state.running.values.contains {
                $0.thing == thing && $0.since <= limit && ($0.lane.isCaller && lane.isCaller || $0.lane == lane)
            }
            if isHanging { throw Self.noAnswer }
            let most = lane.isCaller ? limits.perUser : limits.perPart
            guard state.count[lane, default: 0] < most, !lane.isCaller || state.users < limits.users else { return nil }
            state.next += 1
            state.running[state.next] = Running(lane: lane, thing: thing, since: .now, giveUp: giveUp)
            state.count[lane, default: 0] += 1
            if lane.isCaller { state.users += 1 }
            return state.next
        }
        if let number {
            let isFirst = state.withLock { state in
                defer { state.isWatched = true }
                return !state.isWatched
            }
            if isFirst { Task { await watch() } }
            return number
        }
        if lane.isCaller { throw TooManyFileOperations() }
        throw Self.noAnswer
    }

    private func release(_ number: Int) {
        state.withLock { state in
            guard let lane = state.running.removeValue(forKey: number)?.lane else { return }
            let left = state.count[lane, default: 1] - 1
            state.count[lane] = left > 0 ? left : nil
            if lane.isCaller { state.users -= 1 }
        }
    }

    /// Who waits for one body, and what it has come to: the first end counts.
    private final class Call<Answer: Sendable>: Sendable {
        private enum State {
            case begun
            case waited(CheckedContinuation<Answer, any Error>)
            case ended(Result<Answer, any Error>)
            case told
        }

        private let state = Mutex(State.begun)

        func wait(_ continuation: CheckedContinuation<Answer, any Error>) {
            let answer: Result<Answer, any Error>? = state.withLock { state in
                guard case .ended(let answer) = state else {
                    state = .waited(continuation)
                    return nil
                }
                state = .told
                return answer
            }
            if let answer { continuation.resume(with: answer) }
        }

        func end(_ answer: Result<Answer, any Error>) {
            let waiter: CheckedContinuation<Answer, any Error>? = state.withLock { state in
                switch state {
                case .begun:
                    state = .ended(answer)
                    return nil
                case .waited(let continuation):
                    state = .told
                    return continuation
                case .ended, .told: return nil
                }
            }
            waiter?.resume(with: answer)
        }
    }
}

/// As many file operations of this user, or of all, are under way as may be.
package struct TooManyFileOperations: Error, Sendable {}
