@testable import Exports

extension JobResult {
    static let sample = JobResult(
        rows: 1, sheets: 1, size: 10, sha256: String(repeating: "ab", count: 32),
        scopeDigest: String(repeating: "cd", count: 32), columns: ["Name"],
        attributes: ["a"], columnPermissions: ["p"], day: "2026-01-02", warnings: "[]")
}

extension AttemptEnd {
    private static let failure = JobFailure(kind: "k", message: "m")
    private static let patient = RetryPolicy(delay: .zero, giveUpAfter: .seconds(3_600))
    private static let impatient = RetryPolicy(delay: .zero, giveUpAfter: .zero)

    /// Every end, with the retry policies that allow another attempt and that allow none.
    static let samples: [(end: AttemptEnd, isTooLate: Bool)] = [
        (.succeeded(.sample), false), (.failed(failure), false), (.cancelled, false), (.handedBack, false),
        (.returned(patient), false), (.returned(impatient), true),
        (.retried(failure, patient), false), (.retried(failure, impatient), true),
    ]
}

/// A condition that limits a worker's writes to its own attempt.
enum Guard: String, CaseIterable {
    case epoch, state, lease
}

extension JobMachine {
    /// Applies an event as the rules would without one of their guards. It passes them a job or an epoch that this guard always
    /// accepts.
    mutating func apply(_ event: Event, without missing: Guard?) -> Bool {
        var event = event
        var seen = self
        switch (missing, event) {
        case (.epoch, .renewed): event = .renewed(epoch: epoch)
        case (.epoch, .ended(_, let end, let isTooLate)): event = .ended(epoch: epoch, end, isTooLate: isTooLate)
        case (.state, .renewed), (.state, .ended): seen = with(state: .running, lease: lease)
        case (.lease, .renewed), (.lease, .ended): seen = with(state: state, lease: .valid)
        default: break
        }
        guard seen.apply(event) else { return false }
        self = seen
        return true
    }

    private func with(state: JobState, lease: Lease?) -> JobMachine {
        JobMachine(
            state: state, epoch: epoch, attempt: attempt, crashes: crashes, losses: losses,
            isCancelRequested: isCancelRequested,
            archiveEpoch: archiveEpoch, isHeld: isHeld, lease: lease)
    }
}

/// A search through all states that one job can reach with two workers and a disk, in every order of events.
///
/// The workers are as faulty as possible: they stop at any point for any time, ignore the clock, and continue as if nothing
/// had happened. Only the rules stop them.
struct Exploration {
    struct World: Hashable {
        var job = JobMachine()
        var workers = [Worker.idle, Worker.idle]
        /// Epochs whose file is on the disk under its final name.
        var files: Set<Int> = []
        /// The number of running jobs in the tenant's slot.
        var running = 0
        var successes = 0
        /// Epochs whose success was sent but has not arrived. A network may delay it for any time.
        var underWay: Set<Int> = []
    }

    enum Worker: Hashable {
        case idle
        case reading(epoch: Int)
        /// The file has its final name.
        case written(epoch: Int)
        /// The end of its attempt was refused or got no answer. It hands the job back next.
        case refused(epoch: Int)
        /// It has handed the job back, or there was nothing to hand back. It removes its file next.
        case handedBack(epoch: Int, isBack: Bool)
    }

    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    /// A guard of the rules that is left out, to show that it is needed.
    var missing: Guard?
    let maxEpochs: Int

    /// Visits all states that can be reached.
    ///
    /// - Returns: the number of worlds, and the number of steps between them.
    /// - Throws: ``Violation``, with the steps that lead to it.
    func run() throws -> (worlds: Int, steps: Int) {
        let first = World()
        // The step by which each world was first reached; the first world has none.
        var ways: [World: (before: World, step: String)] = [:]
        var seen: Set = [first]
        var frontier = [first]
        var steps = 0
        while let world = frontier.popLast() {
            for (step, next) in successors(of: world) {
                steps += 1
                if let fault = fault(from: world, to: next) {
                    var way = [step]
                    var here = world
                    while let (before, step) = ways[here] {
                        way.append(step)
                        here = before
                    }
                    throw Violation(description: "\(fault): \(way.reversed().joined(separator: ", "))")
                }
                if seen.insert(next).inserted {
                    ways[next] = (world, step)
                    frontier.append(next)
                }
            }
        }
        return (seen.count, steps)
    }

    /// The violated invariant; nil if all hold.
    private func fault(from before: World, to after: World) -> String? {
        let job = after.job
        if job.state == .succeeded, job.archiveEpoch != job.epoch || !after.files.contains(job.epoch) {
            return "a row promises a file that is not there"
        }
        if after.successes > 1 { return "a job succeeded twice" }
        if (job.state == .running) != (job.lease != nil) { return "a lease without a run, or a run without a lease" }
        if after.running != (job.state == .running ? 1 : 0) { return "the tenant's slot is wrong" }
        if job.epoch < before.job.epoch { return "the epoch fell" }
        if before.job.state.isFinal, job.state != before.job.state,
            !(before.job.state == .succeeded && job.state == .expired)
        {
            return "a job that was over went on"
        }
        if before.job.isHeld, before.job.state == .succeeded, job.state != .succeeded { return "a hold did not hold" }
        if before.job.lease == .expired, job.lease == .valid, job.epoch == before.job.epoch {
            return "a lease came back to life"
        }
        if job.state == .queued, job.isCancelRequested { return "a cancelled job is in the queue" }
        if job.archiveEpoch != nil, job.state != .succeeded, job.state != .expired { return "a file without a success" }
        if job.state.keepsKey, !before.job.state.keepsKey { return "a key that was given up stands again" }
        if job.attempt < 0 || job.attempt > job.epoch { return "attempts that were not made" }
        return nil
    }

    // MARK: Steps

    private func successors(of world: World) -> [(String, World)] {
        var found: [(String, World)] = []
        func add(_ step: String, _ change: (inout World) -> Bool) {
            var next = world
            if change(&next), next != world { found.append((step, next)) }
        }
        func event(_ step: String, _ event: JobMachine.Event) {
            add(step) { apply(event, to: &$0) }
        }
        event("lease runs out", .leaseRanOut)
        event("sweep", .swept(.leaseOver))
        event("sweep overdue", .swept(.overdue))
        event("sweep after the end of a session", .swept(.sessionOver))
        event("cancel", .cancelRequested)
        event("delete", .deleted)
        event("retire", .retired)
        event("hold", .held(true))
        event("release", .held(false))
        for epoch in world.underWay {
            add("the success of \(epoch) arrives") { world in
                world.underWay.remove(epoch)
                _ = apply(.ended(epoch: epoch, .succeeded(.sample)), to: &world)
                return true
            }
        }
        if world.job.state == .expired, let epoch = world.job.archiveEpoch {
            add("unlink") { $0.files.remove(epoch) != nil }
            if !world.files.contains(epoch) { event("say unlinked", .fileRemoved(epoch: epoch)) }
        }
        for file in world.files where isOrphan(file, world.job) {
            add("remove orphan \(file)") { $0.files.remove(file) != nil }
        }
        for index in world.workers.indices { addSteps(of: index, world, add) }
        return found
    }

    private func addSteps(of index: Int, _ world: World, _ add: (String, (inout World) -> Bool) -> Void) {
        let name = index == 0 ? "A" : "B"
        func become(_ worker: Worker, _ world: inout World) { world.workers[index] = worker }
        switch world.workers[index] {
        case .idle:
            guard world.job.epoch < maxEpochs else { return }
            add("\(name) claims") { world in
                guard apply(.claimed, to: &world) else { return false }
                become(.reading(epoch: world.job.epoch), &world)
                return true
            }
        case .reading(let epoch):
            add("\(name) renews") { apply(.renewed(epoch: epoch), to: &$0) }
            add("\(name) is killed") {
                become(.idle, &$0); return true
            }
            add("\(name) writes") { world in
                world.files.insert(epoch)
                become(.written(epoch: epoch), &world)
                return true
            }
            addEnds(of: index, epoch, add)
        case .written(let epoch):
            add("\(name) is killed") {
                become(.idle, &$0); return true
            }
            add("\(name) publishes") { world in
                if apply(.ended(epoch: epoch, .succeeded(.sample)), to: &world) {
                    become(.idle, &world)
                } else {
                    become(.refused(epoch: epoch), &world)
                }
                return true
            }
            add("\(name) publishes, and the answer is lost") { world in
                _ = apply(.ended(epoch: epoch, .succeeded(.sample)), to: &world)
                become(.refused(epoch: epoch), &world)
                return true
            }
            add("\(name) publishes, and the statement is held up") { world in
                world.underWay.insert(epoch)
                become(.refused(epoch: epoch), &world)
                return true
            }
            addEnds(of: index, epoch, add)
        case .refused(let epoch):
            add("\(name) hands back") { world in
                let isBack = apply(.ended(epoch: epoch, .returned(.init(delay: .zero, giveUpAfter: .zero))), to: &world)
                become(.handedBack(epoch: epoch, isBack: isBack), &world)
                return true
            }
            add("\(name) is killed") {
                become(.idle, &$0); return true
            }
        case .handedBack(let epoch, let isBack):
            add("\(name) throws its file away") { world in
                // The worker asks whether its success was written after all. If so, it keeps the file.
                if isBack || world.job.archiveEpoch != epoch { world.files.remove(epoch) }
                become(.idle, &world)
                return true
            }
        }
    }

    /// Ends that leave no file. The worker removes its file whatever the answer is, because it has not tried to publish it.
    private func addEnds(of index: Int, _ epoch: Int, _ add: (String, (inout World) -> Bool) -> Void) {
        for (end, isTooLate) in AttemptEnd.samples where end != .succeeded(.sample) {
            add("\(index == 0 ? "A" : "B") ends: \(end.name)\(isTooLate ? " too late" : "")") { world in
                _ = apply(.ended(epoch: epoch, end, isTooLate: isTooLate), to: &world)
                world.files.remove(epoch)
                world.workers[index] = .idle
                return true
            }
        }
    }

    private func apply(_ event: JobMachine.Event, to world: inout World) -> Bool {
        guard world.job.apply(event, without: missing) else { return false }
        if case .claimed = event { world.running += 1 }
        switch event {
        case .ended, .swept: world.running -= 1
        default: break
        }
        if case .ended(_, .succeeded, _) = event { world.successes += 1 }
        return true
    }

    private func isOrphan(_ file: Int, _ job: JobMachine) -> Bool {
        job.archiveEpoch != file && (file != job.epoch || job.state.isFinal)
    }
}
