/// A condition did not become true within a minute.
package struct NotInTime: Error, CustomStringConvertible {
    package let description: String
}

/// Polls the condition until it holds, for at most a minute. For work of another process or the database that gives no signal.
///
/// - Throws: ``NotInTime``, and the errors of the condition.
package func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw NotInTime(description: "not in time: \(what)") }
        // Leaves the core to the process or thread that the test waits for.
        try await Task.sleep(for: .milliseconds(5))
    }
}
