private import Directory
package import Logging
package import Postgres
internal import ServiceLifecycle
private import Synchronization

/// Writes the audit events that no caller waits for: denials, and deliveries that failed.
///
/// The methods that report an event return at once. An event that the database may have stored without a confirmation is
/// written again: the trail may have it twice, and never lacks it.
package final class AuditWriter: Service {
    typealias Insert = @Sendable ([Audit.Entry]) async throws -> Void

    /// Failed deliveries that may wait. Each was recorded as a download before, so they come no faster than the database
    /// records those.
    private static let maxWaiting = 4_096
    /// Failed deliveries in one statement.
    private static let batch = 100
    /// How long a process that stops tries to write the remaining events.
    private static let flushTime: Duration = .seconds(3)
    /// The longest text of a caller in an event, in scalars.
    private static let maxLabel = 320

    /// Counts of events that are not in the trail.
    package struct Figures: Sendable, Equatable {
        /// Denials and failed deliveries that are not written yet.
        package var waiting = 0
        /// Failed deliveries that were dropped.
        package var lost = 0
    }

    private struct State {
        var denials: DenialAggregate
        var deliveries: [Audit.Entry] = []
        var lost = 0
    }

    private let insert: Insert
    private let tenantKey: @Sendable (String) async -> String?
    private let logger: Logger
    private let state: Mutex<State>
    private let wakeSignal = WakeSignal()

    /// - Parameter directory: the database in which to look up the key of a tenant, if it is not the pool's.
    package convenience init(
        pool: PostgresPool, directory: @escaping @Sendable () -> PostgresPool? = { nil }, logger: Logger
    ) {
        self.init(
            logger: logger,
            insert: { entries in
                try await pool.withStatement(role: DatabaseRole.api) { try await Audit.record(entries, on: $0) }
            }, tenantKey: { slug in await Self.tenantKey(of: slug, directory() ?? pool) })
    }

    init(
        interval: Duration = .seconds(60), logger: Logger, insert: @escaping Insert,
        tenantKey: @escaping @Sendable (String) async -> String? = { _ in nil }
    ) {
        self.insert = insert
        self.tenantKey = tenantKey
        self.logger = logger
        state = Mutex(State(denials: DenialAggregate(interval: interval)))
    }

    /// The counts now.
    package var figures: Figures {
        state.withLock { Figures(waiting: $0.denials.count + $0.deliveries.count, lost: $0.lost) }
    }

    /// Records a denial. Does not wait.
    ///
    /// - Parameters:
    ///   - reason: a reason of the protocol.
    ///   - method: the name of a method that is served.
    ///   - subject: called for the first denial of a user and reason.
    package func denied(_ peer: CallingProcess, reason: String, method: String, subject: () -> DeniedSubject) {
        let isNew = state.withLock { state in
            state.denials.add(peer, reason: reason, method: method, at: .now, subject: subject)
        }
        if isNew { wakeSignal.signal() }
    }

    /// Records a delivery that failed. Does not wait.
    func undelivered(_ entry: Audit.Entry) {
        state.withLock { state in
            if state.deliveries.count < Self.maxWaiting { state.deliveries.append(entry) } else { state.lost += 1 }
        }
        wakeSignal.signal()
    }

    /// Writes events when they are due, until the service stops. Then it tries for three seconds to write the rest.
    package func run() async throws {
        var backoff = Backoff(cap: .seconds(30))
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            if await write(everything: false) {
                backoff.reset()
                let next = state.withLock(\.denials.nextDue)
                await wakeSignal.wait(for: next.map { ContinuousClock.now.duration(to: $0) } ?? .seconds(60))
            } else {
                let pause = backoff.next()
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
            }
        }
        await flush()
    }

    /// Writes all events, also those that are not due yet.
    private func flush() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await self.write(everything: true) }
            group.addTask { try? await Task.sleep(for: Self.flushTime) }
            await group.next()
            group.cancelAll()
        }
        let figures = figures
        guard figures.waiting + figures.lost > 0 else { return }
        logger.report(ExportEvent.auditLost, [.events: figures.waiting + figures.lost])
    }

    /// - Returns: false if the database cannot store events now. They stay in memory.
    private func write(everything: Bool) async -> Bool {
        while true {
            let now = ContinuousClock.now
            let (groups, deliveries) = state.withLock { state in
                (state.denials.take(at: now, everything: everything), Array(state.deliveries.prefix(Self.batch)))
            }
            guard !groups.isEmpty || !deliveries.isEmpty else { return true }
            do {
                var entries = deliveries
                for group in groups { entries.append(await entry(group, now)) }
                do {
                    try await insert(entries)
                } catch let error as PostgresError where error.isUnstorableText {
                    // The text of a caller may have characters that the encoding of the database lacks.
                    try await insert(entries.map(\.inASCII))
                }
                state.withLock { $0.deliveries.removeFirst(deliveries.count) }
            } catch {
                let waiting = state.withLock { state in
                    state.denials.putBack(groups)
                    return state.denials.count + state.deliveries.count
                }
                logger.report(ExportEvent.auditDelayed, [.events: waiting, .error: error])
                return false
            }
        }
    }

    private func entry(_ group: DenialAggregate.Group, _ now: ContinuousClock.Instant) async -> Audit.Entry {
        let tenant = group.subject?.tenant.map(Self.bounded)
        let methods = group.methods.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
        let seconds = group.since.duration(to: now).components.seconds
        return Audit.Entry(
            event: .denied, job: group.subject?.job, tenantKey: await key(of: tenant), tenant: tenant, actorKey: nil,
            actorEmail: group.subject?.administrator.map(Self.bounded), peer: group.peer, reason: group.reason,
            details: #"{"count": \#(group.count), "seconds": \#(seconds), "methods": [\#(methods)]}"#)
    }

    private func key(of tenant: String?) async -> String? {
        if let tenant { await tenantKey(tenant) } else { nil }
    }

    /// Cuts a text to the length that the table accepts. The schemas of parameters usually have a lower limit.
    private static func bounded(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.lazy.map { $0 == "\0" ? "\u{FFFD}" : $0 }.prefix(maxLabel)))
    }

    static func keyQuery(_ slug: String) -> Query {
        Query(
            "tenant-key",
            "SELECT id::text AS key FROM directory.tenant WHERE \(NamedAdministrators.isExactly("slug", "$1")) LIMIT 2",
            [.text(slug)])
    }

    /// nil if no tenant has the slug, several have it, or the database does not answer. Only operators of all tenants see such
    /// an event.
    private static func tenantKey(of slug: String, _ pool: PostgresPool) async -> String? {
        let rows = try? await pool.withStatement(role: DatabaseRole.api) { try await $0.query(keyQuery(slug)) }
        guard let rows, rows.count == 1 else { return nil }
        return try? rows.first?.decode("key")
    }
}

extension Audit.Entry {
    /// The same event in ASCII, which every encoding has.
    fileprivate var inASCII: Self {
        // All other texts come from the database.
        guard event == .denied else { return self }
        var entry = self
        entry.tenant = tenant.map(Self.escaped)
        entry.actorEmail = actorEmail.map(Self.escaped)
        return entry
    }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { $0.isASCII ? String($0) : "\\u{\(String($0.value, radix: 16))}" }.joined()
    }
}
