import Archive
@testable import Exports
import Foundation
import Jobs
import Logging
import Postgres
import SystemPackage
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct RetentionTests {
    private static func job(_ number: Int) -> String { "018f0000-0000-7000-8000-00000000000\(number)" }

    @Test("What a crash left is removed; what a row names, or a worker still writes, is kept")
    func orphans() async throws {
        try await TestDatabase.with { database in
            let root = "/tmp/retention-\(database.name)"
            let month = root + "/acme/2026/01"
            try FileManager.default.createDirectory(atPath: month, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: root) }
            func file(_ job: Int, _ epoch: Int, _ end: String = "") -> String { "\(Self.job(job)).\(epoch).xlsx.zst\(end)" }
            let kept = [file(1, 2), file(2, 3, ".partial"), file(5, 1), "notes.txt"]
            let orphans = [
                file(1, 1), file(2, 2, ".partial"), file(3, 1), file(4, 1, ".partial"), file(9, 1), "nonsense.1.xlsx.zst",
                file(5, 4),
            ]
            for name in kept + orphans {
                _ = FileManager.default.createFile(atPath: month + "/" + name, contents: Data([1]))
            }
            let done =
                "rows = 1, sheets = 1, size = 1, sha256 = sha256('x'), file_date = now(), expires_at = now(), scope_digest = 'x'"
            try await database.execute(
                """
                INSERT INTO adminexport.job (id, tenant_key, actor_key, tenant_slug, actor_email, options)
                    SELECT ('018f0000-0000-7000-8000-00000000000' || i)::uuid, '1', '1', 'acme', 'e', '{}' FROM generate_series(1, 5) i;
                UPDATE adminexport.job SET state = 'succeeded', epoch = 2, archive_epoch = 2, started_at = now(), finished_at = now(), \(done)
                    WHERE id = '\(Self.job(1))';
                UPDATE adminexport.job SET state = 'running', epoch = 3, started_at = now(), worker = id, deadline_at = now()
                    WHERE id = '\(Self.job(2))';
                UPDATE adminexport.job SET state = 'failed', epoch = 1, finished_at = now(), error_kind = 'k', error_message = 'm'
                    WHERE id = '\(Self.job(3))';
                UPDATE adminexport.job SET state = 'cancelled', epoch = 1, finished_at = now(), cancel_requested_at = now()
                    WHERE id = '\(Self.job(4))';
                UPDATE adminexport.job SET epoch = 1 WHERE id = '\(Self.job(5))'
                """)
            let retention = Retention(
                database: JobDatabase(pool: database.pool(), role: DatabaseRole.worker),
                disk: ArchiveDisk(store: ArchiveStore(root: FilePath(root))), history: .seconds(1_000_000),
                logger: Logger(label: "test"))
            #expect(try await retention.sweepOrphans() == orphans.count)
            #expect(try Set(FileManager.default.contentsOfDirectory(atPath: month)) == Set(kept))
            // A second look finds nothing more.
            #expect(try await retention.sweepOrphans() == 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: month).count == kept.count)
        }
    }

    @Test("Expiry says so in the row first, spares what is held, and forgets old jobs last")
    func expiry() async throws {
        try await TestDatabase.with { database in
            let root = "/tmp/retention-\(database.name)"
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: root) }
            try await database.execute(
                """
                INSERT INTO adminexport.job (id, tenant_key, actor_key, tenant_slug, actor_email, options, state, epoch, archive_epoch,
                    started_at, finished_at, rows, sheets, size, sha256, file_date, expires_at, scope_digest, hold)
                SELECT ('018f0000-0000-7000-8000-00000000000' || i)::uuid, '1', '1', 'acme', 'e', '{}', 'succeeded', 1, 1, now(),
                    now() - interval '2 days', 1, 1, 1, sha256('x'), now(),
                    now() + CASE WHEN i = 3 THEN interval '1 h' ELSE interval '-1 h' END, 'x', i = 2 FROM generate_series(1, 3) i
                """)
            func sweep(_ history: Duration) async throws -> String? {
                _ = try await Retention(
                    database: JobDatabase(pool: database.pool(), role: DatabaseRole.worker),
                    disk: ArchiveDisk(store: ArchiveStore(root: FilePath(root))), history: history,
                    logger: Logger(label: "test")
                ).sweep()
                return try await database.text(
                    "SELECT string_agg(state || coalesce(archive_epoch::text, ''), ' ' ORDER BY id) FROM adminexport.job")
            }
            #expect(try await sweep(.seconds(1_000_000)) == "expired succeeded1 succeeded1")
            #expect(try await sweep(.seconds(3_600)) == "succeeded1 succeeded1")
        }
    }
}
