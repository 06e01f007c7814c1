import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

@Suite(.timeLimit(.minutes(10))) struct CommandTests {
    @Test("The exit status of adminexport shows the result")
    func statuses() async throws {
        try await ServiceProcess.with { service in
            func status(_ arguments: [String], _ actor: ActorName = ServiceProcess.owner) async throws -> Int32 {
                try await service.run(arguments, as: actor).status
            }
            #expect(try await status(["run", "-q", "-o", "x"]) == 0)
            #expect(try await status(["run", "-q", "-o", "x"]) == 73)
            #expect(try await status(["run", "-q", "-o", "x", "--force"]) == 0)
            #expect(try await status(["run", "-q", "-o", "none/x.xlsx"]) == 73)
            #expect(try await status(["run", "-q", "-o", "none/"]) == 73)
            #expect(try await status(["get", "nonsense"]) == 64)
            #expect(try await status(["get", "018f0000-0000-7000-8000-000000000000"]) == 1)
            #expect(try await status(["list"], ActorName(tenant: "none", administrator: "x")) == 77)
            #expect(try await status(["list", "--socket", service.folder + "/none"]) == 69)
            #expect(try await status(["health"]) == 0)
            #expect(try await status(["call", "no.such.method"]) == 1)
            #expect(try await status(["call", "service.info", "{\"x\": 1}"]) == 64)
            #expect(try await status(["call", "service.info", "{\n}"]) == 0)
            let files = try FileManager.default.contentsOfDirectory(atPath: service.folder)
            #expect(Set(files) == ["s", "s.lock", "log", "archives", "x"])
        }
    }

    @Test("Results go to standard output, and everything else goes to standard error")
    func streams() async throws {
        try await ServiceProcess.with { service in
            let run = try await service.run(["run", "--json"])
            let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
            let job = object?["job"] as? [String: Any]
            #expect(job?["state"] as? String == "succeeded" && run.errors.contains("Exported"))
            let list = try await service.run(["list"])
            #expect(list.output.split(separator: "\n").count == 2)
            let started = try await service.run(["start", "--idempotency-key", "k"])
            let again = try await service.run(["start", "--idempotency-key", "k"])
            #expect(started.output == again.output && started.errors.isEmpty)
            let other = try await service.run(["start", "--idempotency-key", "k", "--include-disabled"])
            #expect(other.status == 1 && other.errors.contains("idempotency key"))
            let waited = try await service.run(["wait", started.output.trimmingCharacters(in: .newlines), "-q", "--json"])
            #expect(waited.status == 0 && waited.output.contains("\"succeeded\""))
            let deleted = try await service.run(["delete", started.output.trimmingCharacters(in: .newlines)])
            #expect(deleted.output.contains("State:         expired"))
        }
    }

    @Test("The file gets the export's name in the given folder, and only a file of this name prevents a download")
    func names() async throws {
        // A zone whose day differs from the day in UTC, in which these programs run.
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let zone = calendar.component(.hour, from: Date()) < 11 ? "Etc/GMT+12" : "Pacific/Kiritimati"
        let sql =
            SmallTenant.sql
            + "; UPDATE directory.tenant SET slug = 'münchen.example', time_zone = '\(zone)' WHERE id = 1; UPDATE directory.tenant SET slug = '../a/b' WHERE id = 2"
        try await ServiceProcess.with(sql: sql) { service in
            let actor = ActorName(tenant: "münchen.example", administrator: "owner@acme.example")
            let today = "administrators-münchen.example-\(Date().formatted(.iso8601.year().month().day())).xlsx"
            _ = FileManager.default.createFile(atPath: service.folder + "/" + today, contents: nil)
            let run = try await service.run(["run", "-q"], as: actor)
            let jobs = try await service.client().call(ExportList.self, .init(actor: actor)).jobs
            let job = try #require(jobs.first, "\(run)")
            let name = try #require(job.fileName)
            #expect(run.status == 0 && run.output == name + "\n", "\(run)")
            #expect(name.wholeMatch(of: /administrators-münchen\.example-\d{4}-\d\d-\d\d\.xlsx/) != nil)
            try FileManager.default.createDirectory(atPath: service.folder + "/folder", withIntermediateDirectories: true)
            for destination in ["folder", "folder/"] {
                let again = try await service.run(["download", job.id, "-o", destination, "--force"], as: actor)
                #expect(again.status == 0 && again.output == "folder/\(name)\n", "\(again)")
            }
            let taken = try await service.run(["download", job.id], as: actor)
            #expect(taken.status == 73 && taken.errors.contains("\(name) exists already"))
            let slashes = try await service.run(
                ["run", "-q"], as: ActorName(tenant: "../a/b", administrator: "owner@globex.example"))
            #expect(slashes.status == 0 && slashes.output.hasPrefix("administrators-.._a_b-"), "\(slashes)")
        }
    }

    @Test("A destination that cannot be written is reported before an export starts")
    func places() async throws {
        try await ServiceProcess.with { service in
            for output in [
                "none/", "none/x.xlsx", "/proc/x.xlsx", "/proc/", "log/x", String(repeating: "n", count: 256), "",
            ] {
                let run = try await service.run(["run", "-q", "-o", output])
                #expect(run.status == (output.isEmpty ? 64 : 73), "\(output): \(run)")
            }
            #expect(try await service.client().call(ExportList.self, .init(actor: ServiceProcess.owner)).jobs.isEmpty)
        }
    }

    @Test("The reason why an export does not begin is printed once on standard error, and not with -q")
    func notice() async throws {
        try await ServiceProcess.with(environment: ["ADMINEXPORT_WORKERS": "0"]) { service in
            let client = try service.client()
            func jobs() async throws -> [Job] {
                try await client.call(ExportList.self, .init(actor: ServiceProcess.owner)).jobs
            }
            async let quiet = service.run(["run", "--json", "-q", "-o", "quiet.xlsx"])
            try await eventually("the quiet export waits") { try await jobs().count == 1 }
            let told = try Programs.make(
                "adminexport", ["run", "--json"],
                environment: [
                    "ADMINEXPORT_SOCKET": service.socket, "ADMINEXPORT_TENANT": "acme",
                    "ADMINEXPORT_AS": "owner@acme.example",
                ], folder: service.folder)
            _ = FileManager.default.createFile(atPath: service.folder + "/told", contents: nil)
            let output = Pipe()
            told.standardOutput = output
            told.standardError = FileHandle(forWritingAtPath: service.folder + "/told")
            try told.run()
            func errors() throws -> String { try String(contentsOfFile: service.folder + "/told", encoding: .utf8) }
            try await eventually("the missing worker is reported") { try errors().contains("no worker is running") }
            // The quiet command has waited for longer.
            for job in try await jobs() {
                _ = try await client.call(ExportCancel.self, .init(actor: ServiceProcess.owner, job: job.id))
            }
            await told.end()
            let words = try errors()
            #expect(
                told.terminationStatus == 2 && words.components(separatedBy: "no worker is running").count == 2, "\(words)")
            #expect(output.fileHandleForReading.readDataToEndOfFile().isEmpty)
            let silent = try await quiet
            #expect(silent.status == 2 && !silent.errors.contains("worker"), "\(silent)")
        }
    }
}
