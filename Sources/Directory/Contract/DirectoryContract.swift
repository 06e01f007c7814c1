package import Postgres
private import Synchronization

/// How the directory stands and what the roles may in the database with the jobs, as the last look has shown it, and the types of its keys.
package final class DirectoryContract: Sendable {
    private struct State {
        var keys: KeyTypes?
        var types: String?
        var faults: [ContractFault] = []
        var rows: [ContractFault] = []
        /// What the schema with the jobs lacks.
        var schema: [ContractFault] = []
        /// Since when there has been a fault that may pass.
        var faultySince: ContinuousClock.Instant?
        var hasBeenReached = false
        var isReachable = false
        /// When the last look ended, whatever it has shown.
        var lookedAt: ContinuousClock.Instant?
    }

    /// How long a fault that may pass counts as views that somebody recreates: exports wait for that long and do not fail.
    package static let grace: Duration = .seconds(30)

    private let state = Mutex(State())
    private let requests: AsyncStream<Void>.Continuation
    /// Says that somebody has met a refusal, or wants another look; for one task.
    package let lookRequests: AsyncStream<Void>

    package init() {
        (lookRequests, requests) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: What a look has shown

    /// - Returns: whether that is something else than what was known.
    package func found(_ inspection: DirectoryInspection, at now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { state in
            let isNews = !state.isReachable || state.faults != inspection.faults
            state.hasBeenReached = true
            state.isReachable = true
            state.lookedAt = now
            state.keys = inspection.keys
            state.types = inspection.types
            state.faults = inspection.faults
            state.faultySince = inspection.faults.contains(where: \.mayPass) ? state.faultySince ?? now : nil
            return isNews
        }
    }

    /// - Returns: whether that is something else than what was known.
    package func found(rows faults: [ContractFault]) -> Bool {
        state.withLock { state in
            defer { state.rows = faults }
            return state.rows != faults
        }
    }

    /// Reads the catalogue of types alone, and nothing of privileges.
    package func load(on connection: isolated PostgresConnection) async throws {
        let types = try await ColumnTypes.load(connection)
        _ = found(DirectoryInspection(keys: types.keys, faults: types.faults, types: types.digestValue))
    }

    /// - Returns: whether that is something else than what was known.
    package func found(schema faults: [ContractFault]) -> Bool {
        state.withLock { state in
            defer { state.schema = faults }
            return state.schema != faults
        }
    }

    /// What the schema with the jobs lacks. It does not stop exports by itself: a statement that takes it is refused.
    package var schemaFaults: [ContractFault] { state.withLock { $0.schema } }

    package func unreachable(at now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            state.isReachable = false
            state.lookedAt = now
        }
    }

    /// A look could not be made for a reason that says nothing about the directory.
    package func wasNotSeen(at now: ContinuousClock.Instant = .now) {
        state.withLock { $0.lookedAt = now }
    }

    /// Whether the last look is older than that.
    package func isOlder(than age: Duration, at now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { state in state.lookedAt.map { $0.duration(to: now) > age } ?? true }
    }

    /// Whether there is nothing to wait for: the last look was made and has found nothing.
    package var isSound: Bool {
        state.withLock { $0.isReachable && $0.faults.isEmpty && $0.rows.isEmpty && $0.schema.isEmpty }
    }

    /// Asks for another look, soon.
    package func lookAgain() {
        requests.yield()
    }

    /// What the last check of the directory found, for health reports.
    package enum Status: Sendable, Equatable {
        /// The last look could not be made.
        case unreachable
        /// What is wrong; nothing, if all is well.
        case seen([ContractFault])
    }

    package var status: Status {
        state.withLock { $0.isReachable ? .seen($0.faults + $0.rows) : .unreachable }
    }

    package var hasWrongRows: Bool { state.withLock { !$0.rows.isEmpty } }

    package var hasBeenReached: Bool { state.withLock { $0.hasBeenReached } }

    // MARK: What may be done

    /// What makes a denial doubtful: as long as a column that permissions are read from is known to be wrong, nobody can say who may
    /// export, and that is what is to be told. Nil for other errors, and where the denial holds.
    package func fault(behind error: any Error) -> DirectoryError? {
        guard case DirectoryError.denied? = error as? DirectoryError else { return nil }
        return state.withLock { $0.faults.first(where: \.decidesPermission) }.map { .sourceInvalid($0.description) }
    }

    /// - Throws: ``PostgresError/Code/unreachable`` as long as the database has not been reached;
    ///   ``DirectoryError/sourceInvalid(_:)`` where the keys have no types that they can have.
    package var keys: KeyTypes {
        get throws {
            let (keys, fault, hasBeenReached) = state.withLock { ($0.keys, $0.faults.first, $0.hasBeenReached) }
            if let keys { return keys }
            guard hasBeenReached else { throw PostgresError(.unreachable, "the database has not been reached yet") }
            throw DirectoryError.sourceInvalid(fault?.description ?? "its keys have no type")
        }
    }

    /// Whether an export that is begun now would end well or ends for good: while a fault may pass, none is begun.
    ///
    /// - Throws: ``DirectoryError/unsettled(_:)``; ``PostgresError/Code/unreachable``.
    package func checkClaim(at now: ContinuousClock.Instant = .now) throws {
        do {
            try checkExport(at: now)
        } catch DirectoryError.sourceInvalid {}
    }

    /// Whether a snapshot has the columns that the last look has found to hold to the contract. If not, the look is outdated.
    package func accepts(types: String?) -> Bool {
        state.withLock { state in state.types == nil || state.types == types }
    }

    /// Whether an export can be made.
    ///
    /// - Throws: ``DirectoryError/sourceInvalid(_:)``, or ``DirectoryError/unsettled(_:)`` for a fault that may pass;
    ///   ``PostgresError/Code/unreachable``.
    package func checkExport(at now: ContinuousClock.Instant = .now) throws {
        let (faults, since, hasBeenReached) = state.withLock { ($0.faults, $0.faultySince, $0.hasBeenReached) }
        guard hasBeenReached else { throw PostgresError(.unreachable, "the database has not been reached yet") }
        if let lasting = faults.first(where: { !$0.mayPass }) { throw DirectoryError.sourceInvalid(lasting.description) }
        guard let fault = faults.first, let since else { return }
        throw since.duration(to: now) < Self.grace
            ? DirectoryError.unsettled(fault.description) : DirectoryError.sourceInvalid(fault.description)
    }
}
