import Archive
import Foundation
import Logging
import Synchronization
import SystemPackage
import Testing
import TestSupport

@testable import Exports

/// A file that hangs delays the requests for this file and no others.
@Suite(.timeLimit(.minutes(10))) struct HungDiskTests {
    private static let content = Array("a workbook".utf8)
    private static let facts = StoreFacts(id: "the-store", isNew: false)

    private static func name(_ job: String) -> ArchiveName {
        ArchiveName(tenant: "acme", year: 2026, month: 1, job: job, epoch: 1)
    }

    private static let jobs = ["good"] + (0..<6).map { "hung\($0)" }

    /// Runs the body with a store of archives. Calls on all archives except `good` hang, or calls on the given names.
    private func withDisk(
        hanging: Set<String> = Set(jobs.dropFirst().map { "\($0).1.xlsx.zst" }),
        contents: Set<String> = [], _ limits: DiskThreads.Limits = DiskThreads.Limits(),
        _ body: (ArchiveDisk, HangingCalls) async throws -> Void
    ) async throws {
        let folder = "/tmp/adminexport-hung-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let plain = ArchiveStore(root: FilePath(folder))
        try plain.verify(storeID: Self.facts.id, mayCreate: true)
        for job in Self.jobs {
            let partial = try plain.create(Self.name(job))
            let writer = try SeekableWriter(to: partial)
            try writer.write(Self.content.span.bytes)
            _ = try writer.finish { _ in [] }
            try partial.publish()
        }
        let calls = HangingCalls(hanging, contents: contents)
        defer { calls.release() }
        let store = ArchiveStore(root: FilePath(folder), calls: calls)
        try await body(ArchiveDisk(store: store, threads: DiskThreads(limits: limits)), calls)
    }

    private func read(_ job: String, _ disk: ArchiveDisk) async throws -> [UInt8] {
        try await disk.read(Self.name(job), offset: 0, length: 100, facts: Self.facts).bytes
    }

    private static func limits(timeout: Duration) -> DiskThreads.Limits {
        var limits = DiskThreads.Limits()
        (limits.perUser, limits.users, limits.perPart) = (2, 4, 2)
        (limits.timeout, limits.ownTimeout) = (timeout, timeout)
        return limits
    }

    @Test("A request for a file that hangs fails in time, and does not delay other users or take their threads")
    func oneFile() async throws {
        try await withDisk(Self.limits(timeout: .milliseconds(100))) { disk, calls in
            let noAnswer = ArchiveError(.storageFailed, "the archives' disk does not answer")
            // Repeated requests for a file that hangs take no further thread.
            for job in ["hung0", "hung0", "hung0", "hung1"] {
                await #expect(throws: noAnswer) { _ = try await read(job, disk.on(.user(1))) }
            }
            try await eventually("two calls hang") { calls.count == 2 }
            // The calls that hang use all threads of this user.
            for job in ["hung2", "good"] {
                await #expect(throws: TooManyFileOperations.self) { _ = try await read(job, disk.on(.user(1))) }
            }
            // On a slow machine, a call that does not hang may exceed the timeout once.
            try await eventually("the good file is read") {
                (try? await read("good", disk.on(.user(2)))) == Self.content
            }
            try await eventually("the store is verified") {
                (try? await disk.verify(Self.facts, mayCreate: false)) != nil
            }
            // All users together have a limit as well.
            for job in ["hung0", "hung3", "hung4"] {
                await #expect(throws: noAnswer) { _ = try await read(job, disk.on(.user(2))) }
            }
            await #expect(throws: TooManyFileOperations.self) { _ = try await read("good", disk.on(.user(3))) }
            try await eventually("the free space is read") { (try? await disk.space()) != nil }
            try await eventually("four calls hang past their timeout") { disk.stuck == 4 }
            calls.release()
            try await eventually("no call hangs") { disk.stuck == 0 }
            try await eventually("the released file is read") {
                (try? await read("hung0", disk.on(.user(1)))) == Self.content
            }
        }
    }

    @Test("Calls beyond the limit wait for a thread in turn; a cancelled call leaves the queue, and a late call is refused")
    func turns() async throws {
        try await withDisk(Self.limits(timeout: .seconds(60))) { disk, calls in
            let held = ["hung0", "hung1"].map { job in Task { try await read(job, disk.on(.user(1))) } }
            try await eventually("two calls hang") { calls.count == 2 }
            let waiting = (0..<8).map { _ in Task { try await read("good", disk.on(.user(1))) } }
            // The queue of this user is full: one more call is refused at once. Another user is not affected.
            try await eventually("eight calls wait") { disk.waiting == 8 }
            await #expect(throws: TooManyFileOperations.self) { _ = try await read("good", disk.on(.user(1))) }
            #expect(try await read("good", disk.on(.user(2))) == Self.content)
            waiting[3].cancel()
            await #expect(throws: CancellationError.self) { try await waiting[3].value }
            calls.release()
            for (index, task) in waiting.enumerated() where index != 3 { #expect(try await task.value == Self.content) }
            for task in held { #expect(try await task.value == Self.content) }
        }
        try await withDisk(Self.limits(timeout: .milliseconds(100))) { disk, calls in
            let held = ["hung0", "hung1"].map { job in Task { try await read(job, disk.on(.user(1))) } }
            try await eventually("two calls hang") { calls.count == 2 }
            await #expect(throws: TooManyFileOperations.self) { _ = try await read("good", disk.on(.user(1))) }
            calls.release()
            for task in held { _ = try? await task.value }
        }
    }

    @Test(
        "A file that hangs takes few threads, however often calls on it are cancelled, and calls that wait for it take none")
    func cancelledAgain() async throws {
        var limits = Self.limits(timeout: .seconds(60))
        limits.perUser = 3
        try await withDisk(limits) { disk, calls in
            for round in 0..<20 {
                // Two users take turns, because the calls could take the threads of both.
                let task = Task { try await read("hung0", disk.on(.user(round % 2))) }
                try await eventually("the call hangs or waits") {
                    calls.count == min(round + 1, 2) && disk.waiting == (round < 2 ? 0 : 1)
                }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            }
            #expect(calls.count == 2 && disk.waiting == 0)
            for user in 0..<3 { #expect(try await read("good", disk.on(.user(user))) == Self.content) }
            // A full queue of calls that wait for the file takes no thread and delays no call on a good file.
            let waiting = (0..<12).map { _ in Task { try await read("hung0", disk.on(.user(1))) } }
            try await eventually("twelve calls wait") { disk.waiting == 12 }
            await #expect(throws: TooManyFileOperations.self) { _ = try await read("hung0", disk.on(.user(1))) }
            for user in 0..<3 { #expect(try await read("good", disk.on(.user(user))) == Self.content) }
            let held = ["hung1", "hung2"].map { job in Task { try await read(job, disk.on(.user(1))) } }
            try await eventually("four calls hang") { calls.count == 4 }
            let good = Task { try await read("good", disk.on(.user(1))) }
            try await eventually("thirteen calls wait") { disk.waiting == 13 }
            calls.release()
            for task in waiting + held + [good] { #expect(try await task.value == Self.content) }
        }
        // A call that waits for the file fails when the file is known to hang.
        try await withDisk(Self.limits(timeout: .milliseconds(100))) { disk, calls in
            let tasks = (0..<4).map { _ in Task { try await read("hung0", disk.on(.user(1))) } }
            for task in tasks {
                await #expect(throws: ArchiveError(.storageFailed, "the archives' disk does not answer")) {
                    try await task.value
                }
            }
            #expect(calls.count <= 2)
        }
    }

    @Test("An archive whose content hangs takes at most three transfers, however many requests for it arrive at once")
    func hungContent() async throws {
        signal(SIGPIPE, SIG_IGN)
        try await withDisk(hanging: [], contents: ["hung0.1.xlsx.zst"]) { disk, calls in
            let transfers = Transfers(limits: { Transfers.Limits() }, logger: Logger(label: "test"))
            @Sendable func open(_ job: String) async throws {
                _ = try await disk.on(.user(1)).pipe(
                    Self.name(job), from: 0, for: 1, facts: Self.facts, transfers: transfers, delivery: nil)
            }
            let opened = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        do {
                            try await open("hung0")
                            return true
                        } catch let error as ArchiveError where error.code == .storageFailed {
                            return false
                        }
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            // Two transfers, and a third if two threads began at the same time.
            #expect((1...3).contains(opened) && transfers.count == opened)
            try await eventually("the opened transfers hang") { calls.count == opened }
            // All transfers fit into the limit even if none of them has ended.
            for _ in 0..<8 { try await open("good") }
            calls.release()
            try await eventually("all transfers end") { transfers.isIdle }
            try await open("hung0")
        }
    }

    @Test("A cancelled request for a file that hangs ends at once, and no transfer is left when the file is released")
    func cancelled() async throws {
        // As in the service, writing to a pipe without a reader returns an error and does not end the process.
        signal(SIGPIPE, SIG_IGN)
        try await withDisk { disk, calls in
            let transfers = Transfers(limits: { Transfers.Limits() }, logger: Logger(label: "test"))
            for way in 0..<3 {
                let task = Task {
                    switch way {
                    case 0: _ = try await read("hung0", disk.on(.user(1)))
                    case 1: _ = try await disk.on(.user(1)).file(Self.name("hung1"), facts: Self.facts, delivery: nil)
                    default:
                        _ = try await disk.on(.user(1)).pipe(
                            Self.name("hung2"), from: 0, for: 1, facts: Self.facts, transfers: transfers, delivery: nil)
                    }
                }
                try await eventually("the call hangs") { calls.count == way + 1 }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            }
            calls.release()
            try await eventually("all calls and transfers end") { transfers.isIdle && calls.count == 0 }
        }
    }

    @Test("If the directory of archives hangs, each part of the service blocks one thread, and its checks fail")
    func wholeDisk() async throws {
        try await withDisk(hanging: [".store-id"], Self.limits(timeout: .milliseconds(10))) { disk, calls in
            for _ in 0..<6 {
                await #expect(throws: ArchiveError(.storageFailed, "the archives' disk does not answer")) {
                    try await disk.verify(Self.facts, mayCreate: false)
                }
            }
            try await eventually("one call hangs") { calls.count == 1 }
            // Another part of the service has its own threads.
            await #expect(throws: ArchiveError.self) { try await disk.on(.sweep).verify(Self.facts, mayCreate: false) }
            try await eventually("two calls hang") { calls.count == 2 }
        }
    }

    @Test(
        "An archive or a store id that is not a regular file is refused",
        arguments: ["fifo", "link", "directory", "socket", "link to a fifo"])
    func notRegular(_ kind: String) async throws {
        try await withDisk { disk, _ in
            let root = disk.store.root.string
            for (path, code) in [
                (root + "/acme/2026/01/good.1.xlsx.zst", ArchiveError.Code.damaged), (root + "/.store-id", .wrongStore),
            ] {
                try FileManager.default.removeItem(atPath: path)
                switch kind {
                case "fifo": #expect(mkfifo(path, 0o600) == 0)
                case "link": #expect(symlink("/etc/hostname", path) == 0)
                case "directory": #expect(mkdir(path, 0o700) == 0)
                case "socket": #expect(mknod(path, S_IFSOCK | 0o600, 0) == 0)
                default:
                    #expect(mkfifo(root + "/fifo-\(code)", 0o600) == 0)
                    #expect(symlink(root + "/fifo-\(code)", path) == 0)
                }
                do {
                    _ = try await read("good", disk.on(.user(1)))
                    Issue.record("\(kind) was read")
                } catch let error as ArchiveError {
                    #expect(error.code == code, "\(error)")
                }
            }
        }
    }

    @Test("A FIFO under the name of a partial archive does not block an export, and is replaced")
    func partialFIFO() async throws {
        try await withDisk { disk, _ in
            let path = disk.store.root.string + "/acme/2026/01/good.1.xlsx.zst.partial"
            #expect(mkfifo(path, 0o600) == 0)
            #expect(throws: ArchiveError.self) { _ = try disk.store.create(Self.name("good")) }
            // With a reader, the FIFO can be opened, but is refused as well.
            let reader = open(path, O_RDONLY | O_NONBLOCK)
            defer { close(reader) }
            #expect(throws: ArchiveError.self) { _ = try disk.store.create(Self.name("good")) }
            _ = try disk.store.create(Self.name("good"))
        }
    }

    @Test("A file whose removal hangs does not keep the sweep from removing the other files")
    func sweep() async throws {
        try await TestDatabase.with { database in
            let stuck = "018f0000-0000-7000-8000-000000000001.1.xlsx.zst"
            try await withDisk(hanging: [stuck], Self.limits(timeout: .milliseconds(50))) { disk, calls in
                let month = disk.store.root.string + "/acme/2026/01"
                let names = (0..<4).map { "018f0000-0000-7000-8000-00000000000\($0).1.xlsx.zst" }
                for name in names { _ = FileManager.default.createFile(atPath: month + "/" + name, contents: Data([1])) }
                try await database.execute(
                    """
                    UPDATE adminexport.setting SET value = 'the-store' WHERE key = 'store_id';
                    UPDATE adminexport.setting SET value = 'false' WHERE key = 'store_is_new'
                    """)
                let retention = Retention(
                    database: JobDatabase(pool: database.pool(), role: DatabaseRole.worker), disk: disk.on(.sweep),
                    history: .seconds(1_000_000), logger: Logger(label: "test"))
                try await eventually("the sweep removes all files but the one that hangs") {
                    _ = try? await retention.sweepOrphans()
                    return try FileManager.default.contentsOfDirectory(atPath: month).filter { names.contains($0) } == [
                        stuck
                    ]
                }
                calls.release()
                try await eventually("the sweep removes the released file") {
                    _ = try? await retention.sweepOrphans()
                    return !FileManager.default.fileExists(atPath: month + "/" + stuck)
                }
            }
        }
    }
}
