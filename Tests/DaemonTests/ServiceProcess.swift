import AdminExportAPI
import AdminExportClient
import protocol Exports.ServiceEvent
import Foundation
import Testing
import TestSupport

/// A folder for one test, with a path short enough for a socket.
enum TemporaryFolder {
    static func with<Result>(_ body: (String) throws -> Result) throws -> Result {
        let path = try make()
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    static func with<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let path = try make()
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }

    private static func make() throws -> String {
        let path = "/tmp/adminexport-test-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}

/// A program that has ended.
struct Finished: Sendable {
    let status: Int32
    let output: String
    let errors: String
}

/// Runs the built programs.
struct Programs {
    static var folder: String { TestDatabase.environment("TEST_BIN") }

    /// Runs a program to its end.
    static func run(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], folder: String? = nil
    ) async throws -> Finished {
        let process = try make(name, arguments, environment: environment, folder: folder)
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        // Two threads read the two pipes, because a full pipe would block the program.
        async let first = read(output)
        async let second = read(errors)
        let finished = (await first, await second)
        await process.end()
        let status = process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
        return Finished(status: status, output: finished.0, errors: finished.1)
    }

    static func make(
        _ name: String, _ arguments: [String], environment: [String: String], folder: String? = nil
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: name.hasPrefix("/") ? name : "\(Self.folder)/\(name)")
        process.arguments = arguments
        var all = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("ADMINEXPORT_") }
        all.merge(environment) { _, new in new }
        process.environment = all
        if let folder { process.currentDirectoryURL = URL(filePath: folder) }
        return process
    }

    private static func read(_ pipe: Pipe) async -> String {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(
                    returning: String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))
            }
        }
    }
}

extension Process {
    /// Waits for the end of the process outside the task pool. Two waits in the pool would block all tests on two cores.
    func end() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                self.waitUntilExit()
                continuation.resume()
            }
        }
    }
}

/// A running `adminexportd serve` with its own database, socket and folder.
struct ServiceProcess {
    let database: TestDatabase
    let folder: String
    let process: Process

    var socket: String { folder + "/s" }
    var archives: String { folder + "/archives" }
    var log: String { (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? "" }

    static let owner = ActorName(tenant: "acme", administrator: "owner@acme.example")
    static let europe = ActorName(tenant: "acme", administrator: "europe@acme.example")

    /// Starts the service on a small tenant, runs the body, and stops it as a service manager would.
    static func with(
        environment: [String: String] = [:], archives: String? = nil, descriptors: Int? = nil,
        sql: String = SmallTenant.sql, encoding: String? = nil,
        _ body: (ServiceProcess) async throws -> Void
    ) async throws {
        try await TestDatabase.with(encoding: encoding) { database in
            try await database.execute(sql)
            try await TemporaryFolder.with { folder in
                let service = try start(
                    database, folder, environment: environment, archives: archives, descriptors: descriptors)
                do {
                    try await service.waitUntilServing()
                    try await body(service)
                } catch {
                    service.process.terminate()
                    Issue.record("log of the service:\n\(service.log)")
                    throw error
                }
                service.process.terminate()
                await service.process.end()
                #expect(
                    service.process.terminationReason == .exit && service.process.terminationStatus == 0, "\(service.log)")
                #expect(!service.log.contains("@acme.example"), "the log contains an e-mail address")
            }
        }
    }

    /// - Parameter descriptors: the maximum number of the service's descriptors.
    static func start(
        _ database: TestDatabase, _ folder: String, environment: [String: String] = [:], archives: String? = nil,
        descriptors: Int? = nil
    ) throws -> ServiceProcess {
        let path = archives ?? folder + "/archives"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        var all = ["ADMINEXPORT_DATABASE_URL": database.url()]
        all.merge(environment) { _, new in new }
        let arguments = ["serve", "--socket", folder + "/s", "--archives", path]
        let process =
            if let descriptors {
                try Programs.make(
                    "/bin/sh",
                    ["-c", "ulimit -n \(descriptors); exec \"$0\" \"$@\"", Programs.folder + "/adminexportd"] + arguments,
                    environment: all)
            } else {
                try Programs.make("adminexportd", arguments, environment: all)
            }
        _ = FileManager.default.createFile(atPath: folder + "/log", contents: nil)
        process.standardError = FileHandle(forWritingAtPath: folder + "/log")
        try process.run()
        return ServiceProcess(database: database, folder: folder, process: process)
    }

    func waitUntilServing() async throws {
        try await eventually("the service answers") {
            guard let client = try? Client(socket: socket) else { return false }
            return try await client.call(ServiceInfo.self, NoMembers()).name == "adminexport"
        }
    }

    func client() throws -> Client {
        try Client(socket: socket)
    }

    /// The number of entries of the event in the service's log.
    func count(of event: any ServiceEvent) -> Int {
        log.components(separatedBy: " event=\(event)\n").count - 1
    }

    /// Runs the command-line program against this service.
    func run(_ arguments: [String], as actor: ActorName = owner) async throws -> Finished {
        try await Programs.run(
            "adminexport", arguments,
            environment: [
                "ADMINEXPORT_SOCKET": socket, "ADMINEXPORT_TENANT": actor.tenant, "ADMINEXPORT_AS": actor.administrator,
            ], folder: folder)
    }

    /// Starts an export and waits for its end.
    func export(_ actor: ActorName = owner, includeDisabled: Bool = false) async throws -> Job {
        let client = try client()
        let job = try await client.call(ExportStart.self, .init(actor: actor, includeDisabled: includeDisabled)).job
        return try await client.finish(actor, job: job.id)
    }
}

/// The client's error with which a call ends; nil if it ends without one.
func failure(_ body: () async throws -> Void) async -> ClientError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? ClientError
    }
}
