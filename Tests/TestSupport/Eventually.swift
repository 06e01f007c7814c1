/// A condition did not come true in a minute.
package struct NotInTime: Error, CustomStringConvertible {
    package let description: String
}

/// Asks again and again until the condition holds, for a minute: for what another process or the database does, which gives no signal.
///
/// - Throws: ``NotInTime``; what the condition throws.
package func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw NotInTime(description: "not in time: \(what)") }
        // Whoever is waited for needs the core more.
        try await Task.sleep(for: .milliseconds(5))
    }
}
