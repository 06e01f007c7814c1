import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

/// The protocol's description of itself.
@Suite(.timeLimit(.minutes(10)), .serialized) struct DiscoveryTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let owner = ServiceProcess.owner

    @Test("The document in proto-docs equals the one that the program prints and the one that the service returns")
    func current() async throws {
        let kept = try String(contentsOf: Self.root.appending(path: "proto-docs/openrpc.json"), encoding: .utf8)
        let printed = try await Programs.run("adminexportd", ["openrpc"])
        #expect(printed.status == 0)
        #expect(kept == printed.output, "run: adminexportd openrpc > proto-docs/openrpc.json")
        try await ServiceProcess.with { service in
            let served = try await service.client().call(RPCDiscover.self, NoMembers()).document
            #expect(try JSONDecoder().decode(JSONValue.self, from: Data(kept.utf8)) == served)
        }
    }

    @Test("Every example can be sent unchanged, and its result matches the schema and the example")
    func examples() async throws {
        try await ServiceProcess.withKeys { service, _ in
            let client = try service.client()
            let done = try await service.export()
            // An export on hold cannot be deleted.
            let held = try await service.export()
            let worker = try #require(try await client.call(ServiceWorkers.self, NoMembers()).workers.first)
            // export.delete comes last, because the other methods need the file.
            let methods =
                MethodDescription.all.filter { $0.name != ExportDelete.name }
                + MethodDescription.all.filter { $0.name == ExportDelete.name }
            var count = 0
            for method in methods {
                for example in method.examples {
                    let job = method.name == ServiceHold.name ? held : done
                    let params = Self.replacing(example.params, job: job.id, worker: worker.id)
                    let json = try await client.call(method.name, params: JSONEncoder().encode(params))
                    let result = try JSONDecoder().decode(JSONValue.self, from: json)
                    #expect(method.result.faults(result).isEmpty, "\(method.name) \(method.result.faults(result))")
                    Self.compare(example.result, result, "\(method.name): \(example.title)")
                    count += 1
                }
            }
            #expect(count >= MethodDescription.all.count)
        }
    }

    /// Replaces the job and the worker of an example by those of this test.
    private static func replacing(_ params: JSONValue, job: String, worker: String) -> JSONValue {
        guard case .object(var members) = params else { return params }
        if members["job"] != nil { members["job"] = .string(job) }
        if members["worker"] != nil { members["worker"] = .string(worker) }
        return .object(members)
    }

    /// Compares a result with the members of an example, and with those of its values that are stable.
    private static func compare(_ example: JSONValue, _ result: JSONValue, _ path: String) {
        switch (example, result) {
        case (.object(let expected), .object(let got)):
            #expect(Set(got.keys).isSuperset(of: expected.keys.filter { $0 != "oldestQueuedMs" }), "\(path)")
            for (name, value) in expected {
                guard let other = got[name] else { continue }
                let isStable = ["state", "tenant", "requestedBy", "rows", "sheets", "offset", "data", "eof", "fd", "status"]
                // The counters of service.stats depend on what the service has done before.
                let isCounter = path.hasPrefix(ServiceStats.name)
                // A worker of the process may have claimed the new job already.
                if value == .string("queued"), other == .string("running") { continue }
                if isStable.contains(name), !isCounter, other != .null { #expect(value == other, "\(path).\(name)") }
                compare(value, other, "\(path).\(name)")
            }
        case (.array(let expected), .array(let got)):
            if let first = expected.first, let other = got.first { compare(first, other, "\(path)[0]") }
        default:
            break
        }
    }

    @Test("The commands and programs in protocol.md work unchanged")
    func page() async throws {
        let page = try String(contentsOf: Self.root.appending(path: "proto-docs/protocol.md"), encoding: .utf8)
        let blocks = page.matches(of: /(?ms)^```(sh|python)\n(.*?)^```$/).map { (String($0.1), String($0.2)) }
        #expect(blocks.count == 5)
        try await ServiceProcess.with { service in
            for (language, text) in blocks {
                let script = text.replacing(Client.defaultSocket, with: service.socket)
                let result =
                    language == "sh"
                    ? try await Programs.run("/bin/sh", ["-euc", script], folder: service.folder)
                    : try await Programs.run(
                        TestDatabase.environment("TEST_PYTHON"), ["-c", script], folder: service.folder)
                #expect(result.status == 0, "\(script)\n\(result.errors)")
                #expect(!result.output.isEmpty && !result.output.contains(#""error":{"#), "\(result.output)")
                if language == "python" {
                    let name = String(result.output.split(separator: " ")[0])
                    let size = try FileManager.default.attributesOfItem(atPath: service.folder + "/" + name)[.size] as? Int
                    #expect(result.output == "\(name) \(size ?? 0)\n")
                }
            }
        }
    }

    @Test("The command methods lists all methods, describe prints each of them, and its example can be copied")
    func commands() async throws {
        try await ServiceProcess.with { service in
            let methods = try await service.run(["methods"])
            let names = methods.output.split(separator: "\n").map { String($0.prefix { $0 != " " }) }
            #expect(names == MethodDescription.all.map(\.name) + ["export.changed", "$/cancelRequest"])
            for name in names {
                let described = try await service.run(["describe", name])
                #expect(described.status == 0 && described.output.hasPrefix(name), "\(described)")
            }
            let start = try await service.run(["describe", "export.start"]).output
            #expect(start.contains("idempotencyKey (string, optional)") && start.contains("1005 quota-exceeded"))
            let line = try #require(start.split(separator: "\n").first { $0.contains("adminexport call") })
            let run = try await Programs.run(
                "/bin/sh", ["-c", "PATH=\(Programs.folder):$PATH; \(line)"],
                environment: ["ADMINEXPORT_SOCKET": service.socket])
            #expect(run.status == 0 && run.output.contains(/"state":"(queued|running)"/), "\(run)")
            let none = try await service.run(["describe", "export.none"])
            #expect(none.status == 64 && none.errors.contains("adminexport methods"))
        }
    }
}
