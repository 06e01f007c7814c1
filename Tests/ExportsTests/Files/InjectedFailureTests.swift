import Archive
import Crypto
import Directory
import Foundation
import Postgres
import SystemPackage
import Testing
import TestSupport

@testable import Exports

@Suite(.timeLimit(.minutes(10))) struct InjectedFailureTests {
    /// Enough administrators for several frames of an archive, with texts that do not compress.
    private static let sql = """
        \(SmallTenant.sql);
        INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id)
            SELECT i, 1, (SELECT string_agg(md5(i * 64 + k || ''), '') FROM generate_series(1, 32) k), i || '@acme.example', 3
            FROM generate_series(100, 5000) i
        """

    /// A job that a worker has claimed.
    private static func job(_ database: TestDatabase) async throws -> ClaimedJob {
        let rows = try await database.connect().query(
            Query(
                "claimed",
                """
                SELECT '018f0000-0000-7000-8000-000000000001' AS id, 1 AS epoch, 1 AS attempt, '1' AS tenant_key,
                    'acme' AS tenant_slug, '1' AS actor_key, now() AS created_at, now() AS started_at, now() AS attempt_started_at,
                    1 AS revision, 2026 AS year, 1 AS month, 0 AS waited_ms,
                    '{"includeDisabled": true, "includeReferences": true}' AS options
                """))
        return try ClaimedJob(#require(rows.first))
    }

    /// The files below a folder.
    private static func files(_ folder: String) -> [String] {
        (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []).filter {
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: folder + "/" + $0, isDirectory: &isDirectory)
                && !isDirectory.boolValue
        }
    }

    /// The number of descriptors of this process that are open below the folder.
    private static func descriptors(_ folder: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { name in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + name))?.hasPrefix(folder) ?? false
        }
    }

    @Test(
        "If any file system call fails, the export publishes no file and leaves no descriptor open",
        arguments: [Errno.noSpace, .ioError, .diskQuotaExceeded])
    func fileSystem(_ error: Errno) async throws {
        try await TestDatabase.with { database in
            try await database.execute(Self.sql)
            let pool = database.pool()
            let contract = DirectoryContract()
            try await pool.withConnection { try await contract.load(on: $0) }
            let job = try await Self.job(database)
            // The store has its id already. Another test checks how the id is written.
            let id = try #require(try await database.text("SELECT value FROM adminexport.setting WHERE key = 'store_id'"))
            try await database.execute("UPDATE adminexport.setting SET value = 'false' WHERE key = 'store_is_new'")
            var failed: Set<String> = []
            for fatal in 1... {
                let folder = NSTemporaryDirectory() + "failures-\(UUID().uuidString)"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                defer { try? FileManager.default.removeItem(atPath: folder) }
                try ArchiveStore(root: FilePath(folder)).verify(storeID: id, mayCreate: true)
                let calls = FailingCalls(fatal: fatal, error: error)
                let store = ArchiveStore(root: FilePath(folder), calls: calls)
                let disk = ArchiveDisk(store: store)
                let runner = ExportRunner(
                    directory: pool,
                    storage: StorageGuard(
                        database: JobDatabase(pool: pool, role: DatabaseRole.worker), disk: disk, minFree: { 0 }),
                    contract: contract, disk: disk, settings: WorkbookSettings(version: "1.2.3"),
                    otherGroups: { .show })
                let outcome: Result<JobResult, any Error>
                do {
                    outcome = .success(
                        try await runner.run(job, progress: ProgressCounter(), lease: LeaseClock(until: .now + .seconds(60)))
                    )
                } catch {
                    outcome = .failure(error)
                }
                #expect(try Self.descriptors(folder) == 0, "call \(fatal), \(calls.failed ?? "none"), left a descriptor")
                switch outcome {
                case .failure(let fault):
                    failed.insert(try #require(calls.failed))
                    #expect(Self.files(folder) == [".store-id"], "call \(fatal), \(calls.failed ?? ""), left a file")
                    let failure = runner.failure(for: fault)
                    #expect(failure.kind == (error == .ioError ? "storage-failed" : "storage-full") && failure.isTransient)
                case .success(let result):
                    try #require(calls.failed == nil, "call \(fatal), \(calls.failed ?? ""), failed unseen")
                    let reader = try store.open(job.archiveName)
                    let content = try reader.read(offset: 0, length: .max)
                    #expect(Array(SHA256.hash(data: content)).hexadecimal == result.sha256)
                    #expect(fatal > 15 && failed == ["chmod", "fchmod", "fsync", "mkdir", "open", "rename", "write"])
                    // Each of three directories is synced in its parent. The file is synced before the rename, its directory after it.
                    let directory = ["mkdir", "chmod", "fsync"]
                    #expect(calls.made.starts(with: directory + directory + directory + ["open", "fchmod", "write"]))
                    #expect(calls.made.suffix(4) == ["write", "fsync", "rename", "fsync"])
                    return
                }
            }
        }
    }

    @Test("If a call and all later calls fail, an archive under its final name is complete")
    func lasting() throws {
        let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        let name = ArchiveName(tenant: "acme", year: 2026, month: 1, job: "j", epoch: 1)
        for fatal in 1...30 {
            let folder = NSTemporaryDirectory() + "failures-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let calls = FailingCalls(fatal: fatal, error: .ioError, isLasting: true)
            let store = ArchiveStore(root: FilePath(folder), calls: calls)
            let isPublished = (try? Self.publish(content, name, in: store)) != nil
            #expect(try Self.descriptors(folder) == 0)
            let final = Self.files(folder).filter { $0.hasSuffix(".zst") }
            #expect(!isPublished || final.count == 1)
            if !final.isEmpty { #expect(try store.open(name).read(offset: 0, length: .max) == content) }
        }
    }

    private static func publish(_ content: [UInt8], _ name: ArchiveName, in store: ArchiveStore) throws {
        let partial = try store.create(name)
        let writer = try SeekableWriter(to: partial)
        try writer.write(content.span.bytes)
        _ = try writer.finish { _ in [] }
        try partial.publish()
    }

    @Test("The store id is complete or absent, whichever call fails")
    func storeID() throws {
        for fatal in 1...10 {
            let folder = NSTemporaryDirectory() + "failures-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let calls = FailingCalls(fatal: fatal, error: .noSpace)
            let isMarked =
                (try? ArchiveStore(root: FilePath(folder), calls: calls).verify(storeID: "id", mayCreate: true)) != nil
            #expect(isMarked == (calls.failed == nil))
            #expect(try Self.descriptors(folder) == 0)
            // The next start accepts what the failure has left.
            let files = Self.files(folder)
            #expect(files.isEmpty || files == [".store-id"], "call \(fatal), \(calls.failed ?? ""), left \(files)")
            try ArchiveStore(root: FilePath(folder)).verify(storeID: "id", mayCreate: true)
        }
    }
}
