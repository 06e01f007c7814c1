import Client
import ExportAPI
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct CommandTests {
    @Test("The program's exit status tells what happened")
    func statuses() async throws {
        try await ServiceProcess.with { service in
            func status(_ arguments: [String], _ actor: Actor = ServiceProcess.owner) async throws -> Int32 {
                try await service.run(arguments, as: actor).status
            }
            #expect(try await status(["run", "-q", "-o", "x"]) == 0)
            #expect(try await status(["run", "-q", "-o", "x"]) == 73)
            #expect(try await status(["run", "-q", "-o", "x", "--force"]) == 0)
            #expect(try await status(["run", "-q", "-o", "none/x.xlsx"]) == 73)
            #expect(try await status(["run", "-q", "-o", "."]) == 73)
            #expect(try await status(["get", "nonsense"]) == 64)
            #expect(try await status(["get", "018f0000-0000-7000-8000-000000000000"]) == 1)
            #expect(try await status(["list"], Actor(tenant: "none", administrator: "x")) == 77)
            #expect(try await status(["list", "--socket", service.folder + "/none"]) == 69)
            #expect(try await status(["health"]) == 0)
            #expect(try await status(["call", "no.such.method"]) == 1)
            #expect(try await status(["call", "service.info", "{\"x\": 1}"]) == 64)
            #expect(try await status(["call", "service.info", "{\n}"]) == 0)
            let files = try FileManager.default.contentsOfDirectory(atPath: service.folder)
            #expect(Set(files) == ["s", "s.lock", "log", "archives", "x"])
        }
    }

    @Test("Results go to standard output, everything else to standard error")
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
}
