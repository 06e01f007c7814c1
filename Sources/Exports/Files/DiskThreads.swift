internal import Archive
private import Foundation
private import Synchronization

/// Threads for calls that may block on a disk: each call has one of its own, nobody waits for it longer than a bound, and a call
/// that does not come back keeps its thread and nothing else.
///
/// No system call on a file can be taken back. What can be bounded is how many hang, and who waits: a lane has so many threads and
/// no more, so that what one user asks for, or one part of the service, takes none of another's. Callers have few calls on one thing
/// at a time: whether one hangs is known only after a while, and by then it must not have used a lane up. A thing that is known
/// to hang is not tried again beside the call that hangs.
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
        /// Calls of all users on one thing.
        package var perThing = 2
        /// Calls of each part of the service.
        package var perPart = 4
        /// Calls that wait for a thread, for each that a lane has, and as many that wait for others on the same thing.
        package var waitingPerThread = 4
        /// How long a caller waits for a thread, and then for its call; after which a call counts as stuck.
        package var timeout: Duration = .seconds(10)
        /// How long a part of the service waits: a disk under load may take long for an fsync.
        package var ownTimeout: Duration = .seconds(30)

        package init() {}
    }

    private struct Running {
        let lane: Lane
        let thing: String
        let since: ContinuousClock.Instant
        /// Tells whoever waits that nobody does any more.
        let giveUp: @Sendable () -> Void
    }

    /// A call that waits for a thread of its lane, or until fewer are under way on its thing.
    private struct Waiting {
        let number: Int
        let lane: Lane
        let thing: String
        let since: ContinuousClock.Instant
        let giveUp: @Sendable () -> Void
        let turn: Call<Void>
    }

    private struct State {
        var next = 0
        var running: [Int: Running] = [:]
        /// In the order in which they came.
        var waiting: [Waiting] = []
        /// Somebody looks now and then whose time is up.
        var isWatched = false
        var count: [Lane: Int] = [:]
        var users = 0
        /// Calls of all users by what they are on.
        var onThing: [String: Int] = [:]
    }

    private let limits: Limits
    private let state = Mutex(State())

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Calls that have not come back for longer than anybody waits.
    package var stuck: Int {
        let limit = ContinuousClock.now - limits.timeout
        return state.withLock { $0.running.values.count { $0.since < limit } }
    }

    /// Calls that wait for a thread.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Runs the body on a thread of the lane.
    ///
    /// If its task is cancelled, a caller stops waiting at once, and a part of the service when the body ends or its time is
    /// up. The body's result is then dropped, so its `deinit` has to close what it holds.
    ///
    /// - Parameter thing: the file, or other thing, on which the body may hang.
    /// - Throws: ``TooManyFileOperations`` for a caller, an ``ArchiveError`` for the service, where no thread of the lane is free in
    ///   time; an ``ArchiveError`` where the call's time is up; CancellationError; what the body throws.
    package func run<Answer: Sendable>(
        in lane: Lane, on thing: String, _ body: @escaping @Sendable () throws -> Answer
    ) async throws -> Answer {
        if lane.isCaller { try Task.checkCancellation() }
        let call = Call<Answer>()
        let number = try await admit(lane, thing) { call.end(.failure(Self.noAnswer)) }
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

    static let noAnswer = ArchiveError(.storageFailed, "the archives' disk does not answer")

    private func timeout(_ lane: Lane) -> Duration { lane.isCaller ? limits.timeout : limits.ownTimeout }

    /// Ends the waits whose time is up, while there are some. One for all of them: a timer for each would be there until its time
    /// has come, also where the call is over at once.
    private func watch() async {
        let tick = min(limits.timeout, limits.ownTimeout) / 4
        while true {
            try? await Task.sleep(for: tick)
            let overdue: (running: [Running], waiting: [(Waiting, any Error)])? = state.withLock { state in
                if state.running.isEmpty {
                    state.isWatched = false
                    return nil
                }
                let now = ContinuousClock.now
                var (left, late): ([Waiting], [(Waiting, any Error)]) = ([], [])
                for call in state.waiting {
                    if isHanging(call.thing, call.lane, state, now) {
                        late.append((call, Self.noAnswer))
                    } else if call.since + timeout(call.lane) <= now {
                        late.append((call, Self.refusal(call.lane)))
                    } else {
                        left.append(call)
                    }
                }
                state.waiting = left
                return (state.running.values.filter { $0.since + timeout($0.lane) <= now }, late)
            }
            guard let overdue else { return }
            for call in overdue.running { call.giveUp() }
            for (call, error) in overdue.waiting { call.turn.end(.failure(error)) }
        }
    }

    private static func refusal(_ lane: Lane) -> any Error {
        if lane.isCaller { TooManyFileOperations() } else { noAnswer }
    }

    private func most(_ lane: Lane) -> Int { lane.isCaller ? limits.perUser : limits.perPart }

    private func hasRoom(_ lane: Lane, _ state: State) -> Bool {
        state.count[lane, default: 0] < most(lane) && (!lane.isCaller || state.users < limits.users)
    }

    /// Whether as many calls as may be are on the thing. The parts of the service are not many.
    private func isBusy(_ thing: String, _ lane: Lane, _ state: State) -> Bool {
        lane.isCaller && state.onThing[thing, default: 0] >= limits.perThing
    }

    /// Whether a call on the thing has not come back for longer than this lane waits. Callers wait for the same files, the parts of
    /// the service each for their own.
    private func isHanging(_ thing: String, _ lane: Lane, _ state: State, _ now: ContinuousClock.Instant) -> Bool {
        state.running.values.contains {
            $0.thing == thing && $0.since + timeout(lane) <= now
                && ($0.lane.isCaller && lane.isCaller || $0.lane == lane)
        }
    }

    /// Takes a thread of the lane, and waits for one while those that it has are in use, or others are on the thing.
    private func admit(_ lane: Lane, _ thing: String, giveUp: @escaping @Sendable () -> Void) async throws -> Int {
        let (number, turn, isFirst): (Int, Call<Void>?, Bool) = try state.withLock { state in
            let now = ContinuousClock.now
            func hangs(_ call: Running) -> Bool { call.since + timeout(lane) <= now }
            if isHanging(thing, lane, state, now) { throw Self.noAnswer }
            state.next += 1
            let number = state.next
            defer { state.isWatched = true }
            let isBusy = self.isBusy(thing, lane, state)
            if hasRoom(lane, state), !isBusy {
                Self.start(Running(lane: lane, thing: thing, since: now, giveUp: giveUp), number, &state)
                return (number, nil, !state.isWatched)
            }
            // Where all of them hang none is going to be free.
            let own = state.running.values.count { $0.lane == lane && hangs($0) }
            let users = state.running.values.count { $0.lane.isCaller && hangs($0) }
            // Those that wait for a thing, which may hang, take no place from those that wait for a thread only.
            let others = state.waiting.filter { $0.lane == lane }
            let most = limits.waitingPerThread * self.most(lane)
            guard own < self.most(lane), !lane.isCaller || users < limits.users, others.count < 2 * most,
                others.count(where: { self.isBusy($0.thing, lane, state) == isBusy }) < most
            else { throw Self.refusal(lane) }
            let turn = Call<Void>()
            state.waiting.append(
                Waiting(number: number, lane: lane, thing: thing, since: now, giveUp: giveUp, turn: turn))
            return (number, turn, !state.isWatched)
        }
        if isFirst { Task { await watch() } }
        guard let turn else { return number }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { turn.wait($0) }
        } onCancel: {
            guard lane.isCaller else { return }
            let left = state.withLock { state in
                let count = state.waiting.count
                state.waiting.removeAll { $0.number == number }
                return state.waiting.count < count
            }
            // Whoever takes it out of the list ends it.
            if left { turn.end(.failure(CancellationError())) }
        }
        return number
    }

    private static func start(_ call: Running, _ number: Int, _ state: inout State) {
        state.running[number] = call
        state.count[call.lane, default: 0] += 1
        if call.lane.isCaller {
            state.users += 1
            state.onThing[call.thing, default: 0] += 1
        }
    }

    private func release(_ number: Int) {
        let turns: [Call<Void>] = state.withLock { state in
            guard let call = state.running.removeValue(forKey: number) else { return [] }
            let lane = call.lane
            let left = state.count[lane, default: 1] - 1
            state.count[lane] = left > 0 ? left : nil
            if lane.isCaller {
                state.users -= 1
                let left = state.onThing[call.thing, default: 1] - 1
                state.onThing[call.thing] = left > 0 ? left : nil
            }
            var turns: [Call<Void>] = []
            for call in state.waiting where hasRoom(call.lane, state) && !isBusy(call.thing, call.lane, state) {
                Self.start(
                    Running(lane: call.lane, thing: call.thing, since: .now, giveUp: call.giveUp), call.number, &state)
                turns.append(call.turn)
            }
            state.waiting.removeAll { state.running[$0.number] != nil }
            return turns
        }
        for turn in turns { turn.end(.success(())) }
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
