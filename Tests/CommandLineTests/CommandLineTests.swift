import ArgumentParser
import Testing

@testable import CommandLine

@Suite struct CommandLineTests {
    @Test(
        "Valid command lines are accepted",
        arguments: [
            ["run"], ["run", "--include-disabled", "-o", "x.xlsx", "--force", "-q"], ["start", "--idempotency-key", "k"],
            ["list", "--state", "failed", "--limit", "5"], ["call", "service.info", "{}"], ["health", "--json"],
            ["download", "id", "-o", "-"], ["run", "--wait", "90"], ["get", "id", "--wait", "0s"],
            ["wait", "id", "--wait", "5m"],
            ["start", "--wait", "1h"],
        ])
    func valid(_ arguments: [String]) throws {
        _ = try AdminExport.parseAsRoot(arguments)
    }

    @Test(
        "Invalid command lines end with status 64",
        arguments: [
            ["run", "--json", "-o", "-"], ["get"], ["list", "--state", "none"], ["nonsense"], ["run", "--no-such-flag"],
            ["run", "--wait", "soon"], ["run", "--wait", "-1"], ["run", "--wait", "25h"], ["run", "--wait", "9999999"],
        ])
    func invalid(_ arguments: [String]) {
        let error = #expect(throws: (any Error).self) { _ = try AdminExport.parseAsRoot(arguments) }
        #expect(error.map { AdminExport.exitCode(for: $0).rawValue } == 64)
    }

    @Test("The help lists every exit status")
    func help() {
        let help = AdminExport.helpMessage()
        for status in [1, 2, 64, 69, 73, 75, 77, 130] { #expect(help.contains("\(status) ")) }
    }
}
