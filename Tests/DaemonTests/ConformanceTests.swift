import Foundation
import TestSupport
import Testing

/// Runs the conformance suite, which uses only a socket, against the real service.
@Suite(.timeLimit(.minutes(10))) struct ConformanceTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Conformance")

    /// The files of cases.
    private static let files = [
        "batch", "discovery", "envelope", "files", "flow", "framing", "jobs", "json_text", "operators", "params", "watch",
    ]

    @Test("The list contains every file of cases")
    func complete() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.appending(path: "cases").path)
        #expect(Set(names.filter { $0.hasSuffix(".py") }.map { String($0.dropLast(3)) }) == Set(Self.files))
    }

    /// Prints the name of each case, and records an issue for each case that fails.
    @Test("The service passes the cases", arguments: files)
    func cases(of file: String) async throws {
        // Short timeouts keep the test fast.
        let settings = ["ADMINEXPORT_LIMITS_PARTIAL_LINE": "1500ms", "ADMINEXPORT_LIMITS_UNREAD_OUTPUT": "2500ms"]
        try await ServiceProcess.withKeys(environment: settings) { service, _ in
            let program = Self.folder.appending(path: "conformance.py").path
            let run = try await Programs.run(
                TestDatabase.environment("TEST_PYTHON"), [program, service.socket, "--file", file])
            print(run.output)
            let results = run.output.split(separator: "\n").filter { $0.hasPrefix("ok ") || $0.hasPrefix("not ok ") }
            let skipped = results.filter { $0.contains("# SKIP") }
            #expect(
                run.output.contains("\n1..\(results.count)\n") && results.count > 3, "the run is not complete: \(run.errors)"
            )
            // Six cases of flow need an unfinished job, which a fast machine may not have.
            #expect(skipped.count <= (file == "flow" ? 6 : 0), "\(skipped)")
            for failure in run.output.split(separator: "\nnot ok ").dropFirst() {
                Issue.record("\(failure.components(separatedBy: "\n  ...")[0])")
            }
            #expect((run.status == 0) == !results.contains { $0.hasPrefix("not ok") })
        }
    }
}
