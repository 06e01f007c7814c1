/// A search through all orders in which transactions of one tenant can run, with the snapshots and locks of READ COMMITTED.
///
/// It holds the protocol of `tenant_slot.ready` (schema 5): if a job can be claimed and no transaction is under way, the tenant is
/// ready. A tenant that is not would keep its jobs forever.
struct ReadyExploration {
    /// A rule of the protocol that is left out, to show that it is needed.
    enum Rule: CaseIterable {
        /// Who takes `ready` away holds the tenant's advisory lock, as starts do.
        case startLock
        /// Who takes it away holds the slot's row.
        case rowLock
        /// Who takes it away looks for jobs in a statement after the one that takes the locks.
        case laterStatement
        /// A claim leaves `ready` as it is.
        case claimKeeps
        /// Who makes a delayed job claimable holds the slot's row.
        case promotionLocks
        /// The trigger looks at the slot after its statement has changed the job.
        case triggerLooksLast
    }

    enum Job: Hashable { case none, queued, delayed, running, over }

    /// What transactions can do. Each has as many steps as it has snapshots, locks and a commit.
    enum Kind: Hashable, CaseIterable { case start, claim, requeue, promote, cancel, settle }

    struct Transaction: Hashable {
        let kind: Kind
        var step = 0
        /// The jobs and `ready` as the current statement sees them.
        var seen = World.Rows(jobs: [])
        var job: Int?
        var writesJob: Job?
        var writesReady: Bool?
    }

    struct World: Hashable {
        struct Rows: Hashable {
            var jobs: [Job]
            var isReady = false
        }
        var rows: Rows
        var underWay: [Transaction] = []
        /// The transaction, by its place in `underWay`, that holds the advisory lock, the slot's row, each job's row.
        var startLock: Int?
        var slotLock: Int?
        var jobLocks: [Int?]
        var left: [Kind: Int]
    }

    var missing: Rule?
    /// How often each transaction runs.
    let counts: [Kind: Int]
    let jobs: Int

    struct Violation: Error { let steps: [String] }

    /// - Returns: the number of worlds.
    /// - Throws: ``Violation``.
    func run() throws -> Int {
        var rows = World.Rows(jobs: Array(repeating: .none, count: jobs))
        rows.jobs[0] = .delayed
        let first = World(rows: rows, jobLocks: Array(repeating: nil, count: jobs), left: counts)
        var ways: [World: (before: World, step: String)] = [:]
        var seen: Set = [first]
        var frontier = [first]
        while let world = frontier.popLast() {
            for (step, next) in successors(of: world) where seen.insert(next).inserted {
                ways[next] = (world, step)
                if next.underWay.allSatisfy({ $0.step < 0 }), next.rows.jobs.contains(.queued), !next.rows.isReady {
                    var steps = [step]
                    var here = world
                    while let (before, step) = ways[here] {
                        steps.append(step)
                        here = before
                    }
                    throw Violation(steps: steps.reversed())
                }
                frontier.append(next)
            }
        }
        return seen.count
    }

    private func successors(of world: World) -> [(String, World)] {
        var found: [(String, World)] = []
        for kind in Kind.allCases where world.left[kind, default: 0] > 0 {
            var next = world
            next.left[kind, default: 0] -= 1
            // A place that an earlier transaction has left keeps the world small.
            let transaction = Transaction(kind: kind)
            if let free = next.underWay.firstIndex(where: { $0.step < 0 }) {
                next.underWay[free] = transaction
            } else if next.underWay.count < 3 {
                next.underWay.append(transaction)
            } else {
                continue
            }
            found.append(("\(kind) begins", next))
        }
        for index in world.underWay.indices where world.underWay[index].step >= 0 {
            var next = world
            let transaction = next.underWay[index]
            guard advance(index, &next) else { continue }
            found.append(("\(transaction.kind) \(index), step \(transaction.step)", next))
        }
        return found
    }

    /// Does the next step of a transaction. Each ends with the step -1.
    ///
    /// - Returns: false while it waits for a lock.
    private func advance(_ index: Int, _ world: inout World) -> Bool {
        switch (world.underWay[index].kind, world.underWay[index].step) {
        case (.start, 0):
            guard world.startLock == nil else { return false }
            world.startLock = index
        case (.start, 1):
            // Its statement begins; the ids of jobs are given in order.
            guard let job = world.rows.jobs.firstIndex(of: .none), world.jobLocks[job] == nil else {
                return end(index, &world)
            }
            world.jobLocks[job] = index
            world.underWay[index].job = job
            world.underWay[index].writesJob = .queued
            world.underWay[index].seen = world.rows
        case (.start, 2), (.requeue, 2), (.promote, 2): return trigger(index, &world)
        case (.claim, 0), (.promote, 0):
            // The snapshot of the statement.
            world.underWay[index].seen = world.rows
        case (.claim, 1):
            // The slot, unless somebody holds it; the row's newest version counts.
            let seen = world.underWay[index].seen
            guard seen.isReady, world.slotLock == nil, world.rows.isReady else { return end(index, &world) }
            world.slotLock = index
            // The job, likewise.
            if let job = seen.jobs.firstIndex(of: .queued), world.jobLocks[job] == nil, world.rows.jobs[job] == .queued {
                world.jobLocks[job] = index
                world.underWay[index].job = job
                world.underWay[index].writesJob = .running
            }
            if missing == .claimKeeps {
                world.underWay[index].writesReady = seen.jobs.count { $0 == .queued } > 1
            }
        case (.requeue, 0):
            guard let job = world.rows.jobs.firstIndex(of: .running), world.jobLocks[job] == nil else {
                return end(index, &world)
            }
            world.jobLocks[job] = index
            world.underWay[index].job = job
            world.underWay[index].writesJob = .queued
            world.underWay[index].seen = world.rows
        case (.requeue, 1):
            // The count of running jobs.
            guard world.slotLock == nil else { return false }
            world.slotLock = index
        case (.promote, 1):
            let seen = world.underWay[index].seen
            guard let job = seen.jobs.firstIndex(of: .delayed), world.jobLocks[job] == nil, world.rows.jobs[job] == .delayed
            else { return end(index, &world) }
            if missing != .promotionLocks {
                guard world.slotLock == nil else { return end(index, &world) }
                world.slotLock = index
            }
            world.jobLocks[job] = index
            world.underWay[index].job = job
            world.underWay[index].writesJob = .queued
        case (.cancel, 0):
            guard let job = world.rows.jobs.firstIndex(of: .queued), world.jobLocks[job] == nil else {
                return end(index, &world)
            }
            world.jobLocks[job] = index
            world.underWay[index].job = job
            world.underWay[index].writesJob = .over
        case (.settle, 0):
            if missing == .laterStatement { world.underWay[index].seen = world.rows }
            if missing != .startLock {
                guard world.startLock == nil else { return end(index, &world) }
                world.startLock = index
            }
        case (.settle, 1):
            if missing != .rowLock {
                guard world.slotLock == nil, world.rows.isReady else { return end(index, &world) }
                world.slotLock = index
            }
        case (.settle, 2):
            let seen = missing == .laterStatement ? world.underWay[index].seen : world.rows
            guard !seen.jobs.contains(.queued) else { return end(index, &world) }
            world.underWay[index].writesReady = false
        default:
            commit(index, &world)
            return end(index, &world)
        }
        world.underWay[index].step += 1
        return true
    }

    /// `job_ready`: sets `ready` unless it is set. An UPDATE waits for the row, and then looks at its newest version.
    private func trigger(_ index: Int, _ world: inout World) -> Bool {
        let isReady = missing == .triggerLooksLast ? world.underWay[index].seen.isReady : world.rows.isReady
        if !isReady {
            guard world.slotLock == nil || world.slotLock == index else { return false }
            world.slotLock = index
            if !world.rows.isReady { world.underWay[index].writesReady = true }
        }
        world.underWay[index].step += 1
        return true
    }

    private func commit(_ index: Int, _ world: inout World) {
        let transaction = world.underWay[index]
        if let job = transaction.job, let state = transaction.writesJob { world.rows.jobs[job] = state }
        if let isReady = transaction.writesReady { world.rows.isReady = isReady }
    }

    private func end(_ index: Int, _ world: inout World) -> Bool {
        if world.startLock == index { world.startLock = nil }
        if world.slotLock == index { world.slotLock = nil }
        for job in world.jobLocks.indices where world.jobLocks[job] == index { world.jobLocks[job] = nil }
        world.underWay[index] = Transaction(kind: .settle, step: -1)
        return true
    }
}
