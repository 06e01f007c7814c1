import Archive
import Foundation
import SystemPackage
import Testing
import TestSupport

@testable import Exports

/// The effect of a file system error on its export and on other exports.
@Suite(.timeLimit(.minutes(10))) struct StorageFaultTests {
    private static func error(_ errno: Errno) -> ArchiveError {
        ArchiveError(StorageFault(errno) == .full ? .storageFull : .storageFailed, "testing", errno: errno)
    }

    @Test("An export is retried only after a file system error that may pass")
    func failures() {
        for number in StorageFault.table.keys {
            let error = Self.error(Errno(rawValue: number))
            let failure = JobFailure(exportError: error)
            switch error.fault {
            case .passing: #expect(failure.kind == "storage-failed" && failure.isTransient)
            case .full: #expect(failure.kind == "storage-full" && failure.isTransient)
            case .permanent: #expect(failure.kind == "storage-failed" && !failure.isTransient)
            case .ours: #expect(failure.kind == "internal-error" && !failure.isTransient)
            }
        }
    }

    @Test("After a permanent error of one export, the storage still counts as usable for others")
    func others() async throws {
        try await TestDatabase.with { database in
            let disk = ArchiveDisk(store: ArchiveStore(root: "/tmp"))
            let guardian = StorageGuard(
                database: JobDatabase(pool: database.pool(), role: DatabaseRole.worker), disk: disk, minFree: { 0 })
            await guardian.note(Self.error(.fileNameTooLong))
            #expect(await guardian.word == "ok")
            await guardian.note(Self.error(.ioError))
            #expect(await guardian.word == "failed")
            await guardian.note(Self.error(.noSpace))
            #expect(await guardian.word == "full")
        }
    }
}
