package import Postgres
private import Synchronization

/// The result of the last inspection: the faults of the directory, the privileges that the roles lack in the jobs' database,
/// and the types of the directory's keys.
package final class DirectoryContract: Sendable {
    private struct State {
        var keys: KeyTypes?
        var types: String?
        var faults: [ContractFault] = []
        var rows: [ContractFault] = []
        /// The faults of the schema in the jobs' database.
        var schema: [ContractFault] = []
        /// When the first of the faults that may pass was found.
        var faultySince: ContinuousClock.Instant?
        var hasBeenReached = false
        var isReachable = false
        /// When the last inspection ended, with or without a result.
        var inspectedAt: ContinuousClock.Instant?
    }

    /// How long a fault that may pass counts as views that somebody recreates: during this time exports wait and do not fail.
    package static let grace: Duration = .seconds(30)

    private let state = Mutex(State())
    private let requests: AsyncStream<Void>.Continuation
    /// An element for each request for an inspection; several may become one. Only one task may read it.
    package let inspectionRequests: AsyncStream<Void>

    /// A contract without a result: the directory has not been reached yet.
    package init() {
        (inspectionRequests, requests) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: Results of inspections

    /// Records the result of an inspection.
    ///
    /// - Returns: whether the faults differ from those that were known.
    package func found(_ inspection: DirectoryInspection, at now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { state in
            let isNews = !state.isReachable || state.faults != inspection.faults
            state.hasBeenReached = true
            state.isReachable = true
            state.inspectedAt = now
            state.keys = inspection.keys
            state.types = inspection.types
            state.faults = inspection.faults
            state.faultySince = inspection.faults.contains(where: \.mayPass) ? state.faultySince ?? now : nil
            return isNews
        }
    }

    /// Records the wrong rows that ``WrongRows`` found.
    ///
    /// - Returns: whether the faults differ from those that were known.
    package func found(rows faults: [ContractFault]) -> Bool {
        state.withLock { state in
            defer { state.rows = faults }
            return state.rows != faults
        }
    }

    /// Reads only the types of the columns, and no privileges.
    package func load(on connection: isolated PostgresConnection) async throws {
        let types = try await ColumnTypes.load(connection)
        _ = found(DirectoryInspection(keys: types.keys, faults: types.faults, types: types.digestValue))
    }

    /// Records the faults of the schema in the jobs' database.
    ///
    /// - Returns: whether the faults differ from those that were known.
    package func found(schema faults: [ContractFault]) -> Bool {
        state.withLock { state in
            defer { state.schema = faults }
            return state.schema != faults
        }
    }

    /// The faults of the schema in the jobs' database. They do not stop exports by themselves: PostgreSQL refuses the
    /// statements that they affect.
    package var schemaFaults: [ContractFault] { state.withLock { $0.schema } }

    /// Records that the database did not answer an inspection.
    package func unreachable(at now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            state.isReachable = false
            state.inspectedAt = now
        }
    }

    /// Records that the inspection failed for a reason outside the directory.
    package func wasNotInspected(at now: ContinuousClock.Instant = .now) {
        state.withLock { $0.inspectedAt = now }
    }

    /// Whether the last inspection is older than this.
    package func isOlder(than age: Duration, at now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { state in state.inspectedAt.map { $0.duration(to: now) > age } ?? true }
    }

    /// Whether the last inspection succeeded and found no fault.
    package var isSound: Bool {
        state.withLock { $0.isReachable && $0.faults.isEmpty && $0.rows.isEmpty && $0.schema.isEmpty }
    }

    /// Requests an inspection soon, for example after PostgreSQL refused a statement.
    package func requestInspection() {
        requests.yield()
    }

    /// The result of the last check of the directory, for health reports.
    package enum Status: Sendable, Equatable {
        /// The last inspection failed.
        case unreachable
        /// The faults; empty if there are none.
        case seen([ContractFault])
    }

    /// What the last inspection found, with the wrong rows.
    package var status: Status {
        state.withLock { $0.isReachable ? .seen($0.faults + $0.rows) : .unreachable }
    }

    /// Whether the last search for wrong rows found some.
    package var hasWrongRows: Bool { state.withLock { !$0.rows.isEmpty } }

    /// Whether an inspection of this process has ever reached the directory.
    package var hasBeenReached: Bool { state.withLock { $0.hasBeenReached } }

    // MARK: Consequences

    /// The fault that makes a denial unreliable: while a column that permissions are read from is wrong, the service does not
    /// know who may export, and reports the fault instead. Nil for other errors, and if the denial is reliable.
    package func fault(behind error: any Error) -> DirectoryError? {
        guard case DirectoryError.denied? = error as? DirectoryError else { return nil }
        return state.withLock { $0.faults.first(where: \.decidesPermission) }.map { .sourceInvalid($0.description) }
    }

    /// - Throws: ``PostgresError/Code/unreachable`` until the database has been reached;
    ///   ``DirectoryError/sourceInvalid(_:)`` if a key has a type that keys cannot have.
    package var keys: KeyTypes {
        get throws {
            let (keys, fault, hasBeenReached) = state.withLock { ($0.keys, $0.faults.first, $0.hasBeenReached) }
            if let keys { return keys }
            guard hasBeenReached else { throw PostgresError(.unreachable, "the database has not been reached yet") }
            throw DirectoryError.sourceInvalid(fault?.description ?? "its keys have no type")
        }
    }

    /// Checks whether a worker may claim a job now. While a fault may pass, it must not; with a lasting fault it may, and the
    /// export fails.
    ///
    /// - Throws: ``DirectoryError/unsettled(_:)``; ``PostgresError/Code/unreachable``.
    package func checkClaim(at now: ContinuousClock.Instant = .now) throws {
        do {
            try checkExport(at: now)
        } catch DirectoryError.sourceInvalid {}
    }

    /// Checks a snapshot against the last inspection, which may have ended after the snapshot's statements were chosen.
    ///
    /// - Parameters:
    ///   - types: the digest of the columns and types in the snapshot.
    ///   - keys: the types of keys with which the snapshot is read.
    /// - Throws: ``DirectoryError/unsettled(_:)`` if either differs from what the inspection found; the errors of ``checkExport(at:)``.
    package func check(types: String?, keys: KeyTypes, at now: ContinuousClock.Instant = .now) throws {
        let (found, foundKeys) = state.withLock { ($0.types, $0.keys) }
        let isCurrent = found == nil || found == types
        if isCurrent { try checkExport(at: now) }
        guard isCurrent, foundKeys == keys else {
            requestInspection()
            throw DirectoryError.unsettled("columns of the directory have changed since they were checked")
        }
    }

    /// Checks whether an export can succeed.
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
