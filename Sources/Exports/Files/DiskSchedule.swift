internal import Archive

/// Which calls on a disk run, which wait, and which hang. A pure value.
///
/// Each lane has a fixed number of threads, so one user or one part of the service cannot take the threads of another. Callers
/// have few calls on one file at the same time, because it is known only after a while that a call hangs, and until then the
/// file must not use up the lane. No call starts on a file while another one hangs on it.
package struct DiskSchedule: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// A group of calls with threads of its own.
    package enum Lane: Hashable, Sendable {
        /// A caller, by user id.
        case user(Int)
        /// Checks of the directory of archives, for health, metrics and claims.
        case check
        /// Exports, which remove what earlier attempts left.
        case export
        /// The removal of files.
        case sweep
        /// Reads of transfers, which have threads of their own.
        case transfer

        var isCaller: Bool {
            if case .user = self { true } else { false }
        }
    }

    /// The limits of calls and of their durations.
    package struct Limits: Sendable {
        /// Calls of one user at a time.
        package var perUser = 8
        /// Calls of all users at a time.
        package var users = 48
        /// Calls of all users on one file, and reads of one file by transfers.
        package var perFile = 2
        /// Calls of each part of the service at a time.
        package var perPart = 4
        /// Calls that may wait for a thread, for each thread of a lane; and as many that may wait for other calls on the same
        /// file.
        package var waitingPerThread = 4
        /// How long a caller waits for a thread, and then for its call. After this time a call counts as stuck.
        package var timeout: Duration = .seconds(10)
        /// How long a part of the service waits. It is longer because fsync may be slow on a disk under load.
        package var ownTimeout: Duration = .seconds(30)
        /// After this time a read of a transfer counts as one that may hang.
        package var slowRead: Duration = .seconds(1)

        /// The defaults.
        package init() {}
    }

    static let noAnswer = ArchiveError(.storageFailed, "the archives' disk does not answer")

    private struct Call {
        let number: Int
        let lane: Lane
        let target: String
        var since: Instant
        /// Reads of transfers on the target that were under way when the call could first have started; nil before. The call
        /// waits for their end: until then it is unknown whether the file hangs.
        var reads: Set<Int>?
    }

    private let limits: Limits
    private var running: [Int: Call] = [:]
    /// In the order of their arrival.
    private var waiting: [Call] = []
    private var onLane: [Lane: Int] = [:]
    private var users = 0
    /// Calls of users by target.
    private var onTarget: [String: Int] = [:]

    init(limits: Limits) {
        self.limits = limits
    }

    var waitingCount: Int { waiting.count }

    var isIdle: Bool { running.isEmpty }

    func stuck(at now: Instant) -> Int { running.values.count { $0.since + limits.timeout < now } }

    /// Adds a call.
    ///
    /// - Returns: whether the call starts now; if not, it waits.
    /// - Throws: ``ArchiveError`` if another call hangs on the target, ``TooManyFileOperations`` if too many calls wait.
    mutating func submit(_ number: Int, _ lane: Lane, _ target: String, at now: Instant) throws -> Bool {
        if isHanging(target, lane, now) { throw Self.noAnswer }
        var call = Call(number: number, lane: lane, target: target, since: now)
        if start(&call, at: now) { return true }
        let isBusy = isBusy(call)
        // If the calls on all threads hang, no thread becomes free in time.
        let timeout = timeout(lane)
        let hanging = running.values.filter { $0.since + timeout <= now }
        // Calls that wait for a file, which may hang, take no place from calls that only wait for a thread.
        let others = waiting.filter { $0.lane == lane }
        let maxWaiting = limits.waitingPerThread * threads(lane)
        guard hanging.count(where: { $0.lane == lane }) < threads(lane),
            !lane.isCaller || hanging.count(where: \.lane.isCaller) < limits.users, others.count < 2 * maxWaiting,
            others.count(where: { self.isBusy($0) == isBusy }) < maxWaiting
        else { throw refusal(lane) }
        waiting.append(call)
        return false
    }

    /// Counts a read of a transfer.
    mutating func beginRead(_ number: Int, of file: String, at now: Instant) {
        running[number] = Call(number: number, lane: .transfer, target: file, since: now)
    }

    /// Removes a call that waits.
    ///
    /// - Returns: whether the call was waiting.
    mutating func withdraw(_ number: Int) -> Bool {
        guard let index = waiting.firstIndex(where: { $0.number == number }) else { return false }
        waiting.remove(at: index)
        return true
    }

    /// Ends a call that runs.
    ///
    /// - Returns: the calls that start now.
    mutating func end(_ number: Int, at now: Instant) -> [Int] {
        guard let ended = running.removeValue(forKey: number) else { return [] }
        if ended.lane != .transfer { count(ended, -1) }
        guard !waiting.isEmpty else { return [] }
        var (left, started): ([Call], [Int]) = ([], [])
        for var call in waiting {
            call.reads?.remove(number)
            if start(&call, at: now) { started.append(call.number) } else { left.append(call) }
        }
        waiting = left
        return started
    }

    /// Returns the calls whose time is up. Those that run remain counted, because their threads still exist.
    mutating func overdue(at now: Instant) -> [(number: Int, error: any Error, isWaiting: Bool)] {
        var overdue: [(number: Int, error: any Error, isWaiting: Bool)] = []
        for call in running.values where call.since + timeout(call.lane) <= now {
            overdue.append((call.number, Self.noAnswer, false))
        }
        waiting = waiting.filter { call in
            let error: any Error
            if isHanging(call.target, call.lane, now) {
                error = Self.noAnswer
            } else if call.since + timeout(call.lane) <= now {
                error = refusal(call.lane)
            } else {
                return true
            }
            overdue.append((call.number, error, true))
            return false
        }
        return overdue
    }

    /// - Returns: false if the call has to wait.
    private mutating func start(_ call: inout Call, at now: Instant) -> Bool {
        let (lane, target) = (call.lane, call.target)
        guard onLane[lane, default: 0] < threads(lane) else { return false }
        if lane.isCaller {
            guard users < limits.users, onTarget[target, default: 0] < limits.perFile else { return false }
            if call.reads == nil {
                call.reads = Set(running.values.lazy.filter { $0.lane == .transfer && $0.target == target }.map(\.number))
            }
            guard !isBusy(call) else { return false }
        }
        call.since = now
        running[call.number] = call
        count(call, 1)
        return true
    }

    private mutating func count(_ call: Call, _ change: Int) {
        func add(_ count: Int?) -> Int? { count == -change ? nil : (count ?? 0) + change }
        onLane[call.lane] = add(onLane[call.lane])
        guard call.lane.isCaller else { return }
        users += change
        onTarget[call.target] = add(onTarget[call.target])
    }

    private func timeout(_ lane: Lane) -> Duration { lane.isCaller ? limits.timeout : limits.ownTimeout }

    private func threads(_ lane: Lane) -> Int { lane.isCaller ? limits.perUser : limits.perPart }

    private func refusal(_ lane: Lane) -> any Error {
        if lane.isCaller { TooManyFileOperations() } else { Self.noAnswer }
    }

    /// Whether the target has as many calls as it may have. The parts of the service make few calls.
    private func isBusy(_ call: Call) -> Bool {
        call.lane.isCaller
            && (onTarget[call.target, default: 0] >= limits.perFile || call.reads?.count ?? 0 >= limits.perFile)
    }

    /// Whether a call on the target takes longer than this lane waits. All callers read the same files, and so do transfers;
    /// each part of the service has its own.
    private func isHanging(_ target: String, _ lane: Lane, _ now: Instant) -> Bool {
        let calls = running.values.filter {
            $0.target == target && ($0.lane == lane || lane.isCaller && ($0.lane.isCaller || $0.lane == .transfer))
        }
        let timeout = timeout(lane)
        return calls.contains { $0.since + timeout <= now }
            || calls.count { $0.lane == .transfer && $0.since + limits.slowRead <= now } >= limits.perFile
    }
}

/// A user, or all users together, have as many file operations under way as allowed.
package struct TooManyFileOperations: Error, Sendable {}
