import Archive
import Foundation
import Logging
import Postgres
import Synchronization
import SystemPackage
import Testing
import TestSupport

@testable import Exports

@Suite(.timeLimit(.minutes(10))) struct RetentionTests {
    private static func job(_ number: Int) -> String { "018f0000-0000-7000-8000-00000000000\(number)" }

    /// Names that resemble those of archives, but that no archive has.
    private static let strays = [
        "notes.txt", "nonsense.1.xlsx.zst", "\(job(9)).2147483648.xlsx.zst", "\(job(9)).99999999999999999999.xlsx.zst",
        "\(job(9)).-1.xlsx.zst", "\(job(9)).+1.xlsx.zst", "\(job(9)).01.xlsx.zst", "\(job(9)).0.xlsx.zst",
        "\(job(9)).١.xlsx.zst", "\(job(9)).1.xlsx.zst.partial.partial", "\(job(9)).1.xlsx.zst.", "\(job(9)).1.xlsx",
        "018F0000-0000-7000-8000-000000000009.1.xlsx.zst", "018f000000007000800000000000000009.1.xlsx.zst",
        "\(job(9)).1.XLSX.zst",
        "é.1.xlsx.zst", "~", "%",
    ]

    @Test("The sweep leaves entries that cannot be archives, removes the orphans beside them, and reports the entries once")
    func strays() async throws {
        try await TestDatabase.with { database in
            let root = "/tmp/retention-\(database.name)"
            let files = FileManager.default
            for folder in [
                "acme/2026/01", "lost+found/2026/01", "acme.old/2026/01", "acme/20266/01", "acme/2026/1", "other/2026/01",
            ] {
                try files.createDirectory(atPath: root + "/" + folder, withIntermediateDirectories: true)
            }
            defer { try? files.removeItem(atPath: root) }
            let orphan = "\(Self.job(9)).1.xlsx.zst"
            let elsewhere = root + "-elsewhere"
            try files.createDirectory(atPath: elsewhere + "/2026/01", withIntermediateDirectories: true)
            defer { try? files.removeItem(atPath: elsewhere) }
            // Another installation's archives behind a link, a loop, a name that is not UTF-8, entries that are not files, and
            // archives in folders that no export uses.
            let kept = [
                elsewhere + "/2026/01/" + orphan, root + "/lost+found/2026/01/" + orphan,
                root + "/acme.old/2026/01/" + orphan,
                root + "/acme/20266/01/" + orphan, root + "/acme/2026/1/" + orphan, root + "/acme/" + orphan,
                root + "/" + orphan,
            ]
            for path in kept { #expect(files.createFile(atPath: path, contents: nil)) }
            #expect(symlink(elsewhere, root + "/linked") == 0 && symlink(root, root + "/acme/2026/02") == 0)
            #expect(symlink("/dev/zero", root + "/acme/2026/01/\(Self.job(8)).1.xlsx.zst") == 0)
            #expect(mkfifo(root + "/acme/2026/01/\(Self.job(7)).1.xlsx.zst", 0o600) == 0)
            #expect(mkdir(root + "/acme/2026/01/\(Self.job(6)).1.xlsx.zst", 0o700) == 0)
            let odd = Array("\(root)/acme/2026/01/".utf8CString.dropLast()) + [-1, -2, 0]
            let file = open(odd, O_CREAT | O_WRONLY, 0o600)
            #expect(file >= 0)
            close(file)
            for name in Self.strays { #expect(files.createFile(atPath: root + "/acme/2026/01/" + name, contents: nil)) }
            let orphans = [root + "/acme/2026/01/" + orphan, root + "/other/2026/01/" + orphan + ".partial"]
            for path in orphans { #expect(files.createFile(atPath: path, contents: nil)) }
            let log = LogLines()
            let retention = Retention(
                database: JobDatabase(pool: database.pool(), role: DatabaseRole.worker),
                disk: ArchiveDisk(store: ArchiveStore(root: FilePath(root))), history: .seconds(1_000_000),
                logger: Logger(label: "test") { _ in log })
            for expected in [orphans.count, 0, 0] { #expect(try await retention.sweepOrphans() == expected) }
            for path in kept { #expect(files.fileExists(atPath: path), "\(path)") }
            for path in orphans { #expect(!files.fileExists(atPath: path), "\(path)") }
            // Two links, three entries that are not files, one name that is not UTF-8, three directories and two misplaced files.
            let count = Self.strays.count + 11
            #expect(
                log.lines.filter { $0.hasPrefix("\(ExportEvent.foreignEntries)") } == [
                    "\(ExportEvent.foreignEntries) \(count)"
                ])
            // A new entry is reported.
            #expect(files.createFile(atPath: root + "/acme/2026/01/more", contents: nil))
            _ = try await retention.sweepOrphans()
            #expect(log.lines.last == "\(ExportEvent.foreignEntries) \(count + 1)")
        }
    }

    @Test("An unreadable directory or a file that cannot be removed does not stop the sweep, and is reported once")
    func denied() async throws {
        try await TestDatabase.with { database in
            let root = "/tmp/retention-\(database.name)"
            let files = FileManager.default
            for tenant in ["a", "b", "c"] {
                try files.createDirectory(atPath: root + "/\(tenant)/2026/01", withIntermediateDirectories: true)
                #expect(files.createFile(atPath: root + "/\(tenant)/2026/01/\(Self.job(9)).1.xlsx.zst", contents: nil))
            }
            defer { try? files.removeItem(atPath: root) }
            // Root may read and remove everything, and tests may run as root.
            let calls = HangingCalls([], denyingDirectory: "a", denyingRemovalBelow: "b")
            let log = LogLines()
            let retention = Retention(
                database: JobDatabase(pool: database.pool(), role: DatabaseRole.worker),
                disk: ArchiveDisk(store: ArchiveStore(root: FilePath(root), calls: calls)), history: .seconds(1_000_000),
                logger: Logger(label: "test") { _ in log })
            for expected in [1, 0, 0] { #expect(try await retention.sweepOrphans() == expected) }
            #expect(
                log.lines.sorted() == [
                    "\(ExportEvent.directoriesUnreadable) 1", "\(ExportEvent.orphansNotRemoved) 1",
                    "\(ExportEvent.orphansRemoved) 1",
                ])
        }
    }

    /// A log that keeps each event and its number of files or directories.
    private final class LogLines: LogHandler {
        private let all = Mutex<[String]>([])
        var lines: [String] { all.withLock { $0 } }
        var metadata: Logger.Metadata {
            get { [:] }
            set {}
        }
        var logLevel: Logger.Level {
            get { .trace }
            set {}
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { nil }
            set {}
        }

        func log(event: LogEvent) {
            let fields = event.metadata ?? [:]
            let number = fields[LogKey.files.rawValue] ?? fields[LogKey.directories.rawValue] ?? ""
            all.withLock { $0.append("\(fields[LogKey.event.rawValue] ?? "") \(number)") }
        }
    }

    @Test("The sweep removes files that a crash left, and keeps a file that a row names or that a worker still writes")
    func orphans() async throws {
        try await TestDatabase.with { database in
            let root = "/tmp/retention-\(database.name)"
            let month = root + "/acme/2026/01"
            try FileManager.default.createDirectory(atPath: month, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: root) }
            func file(_ job: Int, _ epoch: Int, _ end: String = "") -> String { "\(Self.job(job)).\(epoch).xlsx.zst\(end)" }
            let kept = [file(1, 2), file(2, 3, ".partial"), file(5, 1)] + Self.strays
            let orphans = [
                file(1, 1), file(2, 2, ".partial"), file(3, 1), file(4, 1, ".partial"), file(9, 1), file(5, 4),
                file(9, 2_147_483_647),
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
            // A second sweep finds nothing more.
            #expect(try await retention.sweepOrphans() == 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: month).count == kept.count)
        }
    }

    @Test(
        "The sweep expires overdue workbooks, keeps those on hold, and deletes expired jobs that are older than the history")
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
