import Postgres
import Testing
import TestSupport

@testable import Exports

@Suite(.timeLimit(.minutes(10))) struct CountersTests {
    private static let registry = WorkerRegistry()

    private func row(_ id: WorkerID, _ counters: String) -> WorkerRegistration {
        WorkerRegistration(id: id, host: "h", version: "1", slots: 1, storage: "ok", counters: counters)
    }

    private func totals(_ pool: PostgresPool) async throws -> [String: Int] {
        try await pool.withTransaction(role: "adminexport_api") { try await QueueControl().counters(on: $0) }
    }

    private func worker(
        _ pool: PostgresPool, _ body: @Sendable (isolated PostgresConnection) async throws -> Void
    ) async throws {
        try await pool.withTransaction(role: "adminexport_worker", body)
    }

    @Test("The totals include workers that run, workers that have stopped and workers that were forgotten")
    func totals() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool()
            #expect(try await totals(pool) == [:])
            let ids = (0..<4).map { _ in WorkerID() }
            for (index, id) in ids.enumerated() {
                let row = row(id, "{\"succeeded\":\(index + 1),\"rows\":10}")
                // The first call inserts the row, the second one updates it.
                for isNew in [true, false] {
                    let wasNew = try await pool.withTransaction(role: "adminexport_worker") {
                        try await Self.registry.register(row, on: $0)
                    }
                    #expect(wasNew == isNew)
                }
            }
            #expect(try await totals(pool) == ["succeeded": 10, "rows": 40])
            // One worker stops with other counters than it reported before, one is forgotten, and two still run.
            let last = row(ids[0], "{\"succeeded\":7,\"failed\":1}")
            try await worker(pool) { try await Self.registry.unregister(last, on: $0) }
            #expect(try await totals(pool) == ["succeeded": 16, "rows": 30, "failed": 1])
            try await database.execute(
                "UPDATE adminexport.worker SET seen_at = now() - interval '2 days' WHERE id = '\(ids[1])'")
            try await worker(pool) { try await QueueMaintenance(lease: .seconds(60)).cleanUp(on: $0) }
            #expect(try await database.text("SELECT count(*) FROM adminexport.worker") == "2")
            #expect(try await totals(pool) == ["succeeded": 16, "rows": 30, "failed": 1])
            // A worker that has stopped is not counted again.
            try await worker(pool) { try await Self.registry.unregister(last, on: $0) }
            #expect(try await totals(pool) == ["succeeded": 16, "rows": 30, "failed": 1])
        }
    }

    @Test("Workers that stop at the same time are all counted")
    func atOnce() async throws {
        try await TestDatabase.with { database in
            let pool = database.pool(size: 8)
            let rows = (0..<40).map { _ in row(WorkerID(), "{\"succeeded\":1}") }
            for row in rows { try await worker(pool) { try await Self.registry.register(row, on: $0) } }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for row in rows {
                    group.addTask { try await worker(pool) { try await Self.registry.unregister(row, on: $0) } }
                }
                try await group.waitForAll()
            }
            #expect(try await totals(pool) == ["succeeded": 40])
        }
    }

    @Test("A worker's row contains its counters, with durations counted by bucket")
    func json() {
        let counters = WorkerCounters()
        counters.count(.succeeded)
        counters.count(.rows, by: 900)
        for milliseconds in [0, 5, 6, 1_800_000, 1_800_001] { counters.observe(.wait, .milliseconds(milliseconds)) }
        #expect(
            counters.row(with: [.connectionsLost: 2]).json
                == #"{"connections.lost":2,"rows":900,"succeeded":1,"wait.le.10":1,"wait.le.1800000":1,"wait.le.5":2,"wait.le.inf":1,"wait.sum":3600012}"#
        )
        #expect(counters[.succeeded] == 1 && counters[.failed] == 0)
    }

    @Test("A worker whose row was deleted as dead reports in its new row only what it has done since")
    func forgotten() {
        let counters = WorkerCounters()
        counters.restart()
        counters.count(.succeeded, by: 5)
        counters.wasShown(counters.row(with: [.connectionsOpened: 3]).shown)
        counters.count(.succeeded, by: 2)
        // The first five are in the total.
        counters.restart()
        #expect(counters.row(with: [.connectionsOpened: 4]).json == #"{"connections.opened":1,"succeeded":2}"#)
        #expect(counters[.succeeded] == 7)
    }
}
