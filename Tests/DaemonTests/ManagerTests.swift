import AdminExportAPI
import AdminExportClient
@testable import Daemon
import Foundation
import Testing
import TestSupport

/// The service as a service manager sees it.
@Suite(.timeLimit(.minutes(10))) struct ManagerTests {
    /// Receives messages until one contains the text.
    private func told(_ text: String, _ receiver: DatagramReceiver, _ all: inout [String]) async throws {
        if all.contains(where: { $0.contains(text) }) { return }
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if let message = receiver.text() {
                all.append(message)
                if message.contains(text) { return }
            } else {
                await Task.yield()
            }
        }
        Issue.record("the manager was not told \(text): \(all)")
    }

    @Test("The manager is told that the service is ready, alive, reloading and stopping")
    func life() async throws {
        let receiver = DatagramReceiver()
        try await TemporaryFolder.with { folder in
            let config = folder + "/config.yaml"
            try "limits: {queuedPerTenant: 5}\n".write(toFile: config, atomically: true, encoding: .utf8)
            var all: [String] = []
            try await ServiceProcess.with(environment: [
                "NOTIFY_SOCKET": receiver.path, "WATCHDOG_USEC": "600000", "ADMINEXPORT_CONFIG": config,
            ]) { service in
                try await told("READY=1", receiver, &all)
                #expect(all[0].contains("STATUS=Serving, 0 callers"))
                try await told("WATCHDOG=1", receiver, &all)
                let client = try service.client()
                #expect(try await client.call(ServiceInfo.self, NoMembers()).limits.queuedPerTenant == 5)
                try await told("1 caller,", receiver, &all)
                all = []
                try "limits: {queuedPerTenant: 6}\n".write(toFile: config, atomically: true, encoding: .utf8)
                kill(service.process.processIdentifier, SIGHUP)
                try await told("READY=1", receiver, &all)
                let reloading = try #require(all.first { $0.contains("RELOADING=1") })
                #expect(reloading.contains("\nMONOTONIC_USEC="))
                #expect(all.last?.hasSuffix("\nERRNO=0") == true)
                // Limits belong to the service, so they change for an open connection as well.
                #expect(try await client.call(ServiceInfo.self, NoMembers()).limits.queuedPerTenant == 6)
                try "limits: {queuedPerTenant: many}\n".write(toFile: config, atomically: true, encoding: .utf8)
                kill(service.process.processIdentifier, SIGHUP)
                all = []
                try await told("ERRNO=22", receiver, &all)
                #expect(all.last?.contains("queuedPerTenant is \"many\"") == true)
                #expect(try await client.call(ServiceInfo.self, NoMembers()).limits.queuedPerTenant == 6)
                all = []
                service.process.terminate()
                try await told("STOPPING=1", receiver, &all)
            }
        }
    }

    @Test("While exports finish during a stop, the service asks the manager for more time")
    func extending() async throws {
        let receiver = DatagramReceiver()
        var all: [String] = []
        try await ServiceProcess.with(
            environment: ["NOTIFY_SOCKET": receiver.path, "WATCHDOG_USEC": "300000", "ADMINEXPORT_DRAIN": "60s"],
            sql: SmallTenant.sql
                + """
                ;INSERT INTO directory.administrator (id, tenant_id, name, email, profile_id) OVERRIDING SYSTEM VALUE
                SELECT 1000 + n, 1, 'N' || n, 'n' || n || '@acme.example', 1 FROM generate_series(1, 400000) n
                """
        ) { service in
            let client = try service.client()
            _ = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)).job
            try await eventually("the export runs") {
                try await client.call(ServiceHealth.self, NoMembers()).running == 1
            }
            service.process.terminate()
            try await told("EXTEND_TIMEOUT_USEC=", receiver, &all)
            try await told("STATUS=Stopping", receiver, &all)
        }
    }

    /// Runs the service on a listening socket at descriptor 3, as a manager does.
    private static let activator = """
        import os, select, socket, sys
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(sys.argv[1])
        listener.listen(64)
        # Like a manager, starts the program at the first connection.
        select.select([listener], [], [])
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='rpc')
        os.execv(sys.argv[2], sys.argv[2:])
        """

    private func activated(
        _ folder: String, _ environment: [String: String]
    ) throws -> Process {
        let process = try Programs.make(
            TestDatabase.environment("TEST_PYTHON"),
            ["-c", Self.activator, folder + "/s", Programs.folder + "/adminexportd", "serve", "--archives", folder],
            environment: environment)
        _ = FileManager.default.createFile(atPath: folder + "/log", contents: nil)
        process.standardError = FileHandle(forWritingAtPath: folder + "/log")
        try process.run()
        return process
    }

    @Test("The service uses a socket of the manager and does not remove it")
    func activation() async throws {
        try await TestDatabase.with { database in
            try await TemporaryFolder.with { folder in
                let process = try activated(folder, ["ADMINEXPORT_DATABASE_URL": database.url()])
                try await eventually("the service answers") {
                    guard let client = try? Client(socket: folder + "/s") else { return false }
                    return try await client.call(ServiceInfo.self, NoMembers()).name == "adminexport"
                }
                process.terminate()
                await process.end()
                #expect(process.terminationStatus == 0)
                #expect(FileManager.default.fileExists(atPath: folder + "/s"), "the manager's path was removed")
            }
        }
    }

    @Test("A service with a fault in its setup tells the caller that it is unavailable, and ends with status 78")
    func turnedAway() async throws {
        try await TestDatabase.with(migrated: false) { database in
            try await TemporaryFolder.with { folder in
                let process = try activated(folder, ["ADMINEXPORT_DATABASE_URL": database.url(user: TestDatabase.superuser)])
                try await eventually("the socket exists") { FileManager.default.fileExists(atPath: folder + "/s") }
                var told: ClientError?
                try await eventually("a caller gets an error") {
                    told = await failure {
                        _ = try await Client(socket: folder + "/s").call(ServiceInfo.self, NoMembers())
                    }
                    return told?.kind == "unavailable" || !process.isRunning
                }
                await process.end()
                #expect(
                    told?.kind == "unavailable" && told?.isRetryable == true && told?.message.contains("not set up") == true)
                #expect(process.terminationStatus == 78)
                #expect(try String(contentsOfFile: folder + "/log", encoding: .utf8).contains("adminexportd migrate"))
            }
        }
    }

    /// A URL whose folder contains the server's socket only after `link` was called.
    private func later(_ database: TestDatabase, _ folder: String, user: String) -> (url: String, link: () throws -> Void) {
        let name = ".s.PGSQL.5432"
        return (
            "postgresql:///\(database.name)?host=\(folder)&user=\(user)",
            {
                try FileManager.default.createSymbolicLink(
                    atPath: "\(folder)/\(name)", withDestinationPath: "\(TestDatabase.socketDirectory)/\(name)")
            }
        )
    }

    @Test("A database that appears without the schema gets the time that a migration takes")
    func migratedLate() async throws {
        try await TestDatabase.with(migrated: false) { database in
            try await TemporaryFolder.with { folder in
                let (url, link) = later(database, folder, user: TestDatabase.superuser)
                let process = try activated(folder, ["ADMINEXPORT_DATABASE_URL": url])
                defer { process.terminate() }
                func hasLogged(_ event: DaemonEvent) -> Bool {
                    (try? String(contentsOfFile: folder + "/log", encoding: .utf8))?.contains(" event=\(event)\n") == true
                }
                try await eventually("a caller connects") { (try? Client(socket: folder + "/s")) != nil }
                try await eventually("the service runs without a database") { hasLogged(.serving) }
                try link()
                try await eventually("the missing schema is logged") { hasLogged(.schemaMissing) }
                let migrated = try await Programs.run(
                    "adminexportd", ["migrate", "--with-directory"],
                    environment: ["ADMINEXPORT_DATABASE_URL": database.url(user: TestDatabase.superuser)])
                #expect(migrated.status == 0, "\(migrated)")
                try await eventually("the database is found") { hasLogged(.databaseReachable) }
                let client = try Client(socket: folder + "/s")
                #expect(try await client.call(ServiceHealth.self, NoMembers()).database == "ok")
            }
        }
    }

    @Test("If a fault appears after the start, callers get an error within 8 seconds, and the process ends with status 78")
    func lateFault() async throws {
        try await TestDatabase.with { database in
            try await database.execute("INSERT INTO adminexport.schema_migration VALUES (99, 99)")
            try await TemporaryFolder.with { folder in
                let (url, link) = later(database, folder, user: TestDatabase.serviceUser)
                let process = try activated(folder, ["ADMINEXPORT_DATABASE_URL": url])
                try await eventually("the service answers") {
                    guard let client = try? Client(socket: folder + "/s") else { return false }
                    return try await client.call(ServiceInfo.self, NoMembers()).name == "adminexport"
                }
                try link()
                var longest = Duration.zero
                while process.isRunning {
                    let start = ContinuousClock.now
                    let error = await failure {
                        _ = try await Client(socket: folder + "/s").call(
                            ServiceInfo.self, NoMembers(), timeout: .seconds(20))
                    }
                    // After the end of the process, the manager would start it again.
                    if process.isRunning { longest = max(longest, start.duration(to: .now)) }
                    #expect(
                        error == nil || error?.code == .unreachable || error?.isRetryable == true,
                        "\(String(describing: error))")
                }
                await process.end()
                #expect(process.terminationStatus == 78)
                #expect(longest < .seconds(8))
            }
        }
    }
}
