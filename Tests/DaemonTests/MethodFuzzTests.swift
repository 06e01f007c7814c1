import Foundation
import TestSupport
import Testing

/// A short run of `make fuzz-methods` against the real service.
@Suite(.timeLimit(.minutes(10))) struct MethodFuzzTests {
    private static let program = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fuzz/methods.py")

    @Test("Any request to any method gets a valid reply, and the service continues to answer", arguments: [1, 2])
    func methods(_ seed: Int) async throws {
        try await TemporaryFolder.with { folder in
            let file = folder + "/config.yaml"
            let callers = "callers:\n- {user: \"\(geteuid())\", tenants: \"*\", grants: [export, operator]}\n"
            try callers.write(toFile: file, atomically: true, encoding: .utf8)
            try await ServiceProcess.with(environment: ["ADMINEXPORT_CONFIG": file]) { service in
                let run = try await Programs.run(
                    TestDatabase.environment("TEST_PYTHON"),
                    [
                        Self.program.path, "--socket", service.socket, "--pid", "\(service.process.processIdentifier)",
                        "--requests",
                        "1500", "--seed", "\(seed)",
                    ])
                #expect(run.status == 0, "\(run.output)\n\(run.errors)")
                #expect(run.output.contains("1,500 cases"))
            }
        }
    }
}
