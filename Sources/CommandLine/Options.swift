internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// The service's socket, and the form of results.
package struct ServiceOptions: ParsableArguments {
    static let defaultSocket = Client.defaultSocket

    @Option(help: "The service's socket. [$ADMINEXPORT_SOCKET]", completion: .file())
    var socket: String?

    @Flag(help: "Print results as JSON.")
    var json = false

    /// Creates the options; the parser fills them.
    package init() {}

    var path: String { socket ?? Self.variable("ADMINEXPORT_SOCKET") ?? Self.defaultSocket }

    func connect() throws -> Client {
        try Client(socket: path)
    }

    /// The value of an environment variable; nil if it is not set or empty.
    static func variable(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// How long to retry while the service cannot be reached.
package struct WaitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How long to retry while the service cannot be reached, such as 30s or 5m. (default: 1m if it has answered before, otherwise 0s)",
            valueName: "duration"),
        transform: WaitOptions.duration)
    var wait: Duration?

    /// Creates the options; the parser fills them.
    package init() {}

    /// Reads `90s`, `5m` or `1h`; a number without a unit is seconds.
    static func duration(_ text: String) throws -> Duration {
        guard let match = text.wholeMatch(of: /([0-9]{1,6})(s|m|h)?/), let number = Int(match.1) else {
            throw ValidationError("\(text) is not a duration; write a number and a unit, such as 30s, 5m or 1h.")
        }
        let seconds = match.2.map { ["s": 1, "m": 60, "h": 3_600][$0] ?? 1 } ?? 1
        let duration = Duration.seconds(number * seconds)
        guard duration <= .seconds(86_400) else { throw ValidationError("--wait must be at most 24h.") }
        return duration
    }
}

extension ServiceOptions {
    /// A client whose calls survive a restart of the service.
    ///
    /// - Parameters:
    ///   - wait: the value of ``WaitOptions/wait``.
    ///   - say: called once each time when the connection to the service is lost.
    func connect(
        waiting wait: Duration?, say: @escaping @Sendable (TerminalText) -> Void = { Output.message($0) }
    ) async throws -> ReconnectingClient {
        let retryTimeout = wait ?? ReconnectingClient.defaultRetryTimeout
        let failed: @Sendable (ClientError, Int) -> Void = { error, failures in
            // Most restarts are over within the first pauses.
            if failures == 4 { say("\(error.message); retrying for up to \(retryTimeout.components.seconds) s") }
        }
        if let wait, wait > .zero {
            return try await ReconnectingClient.waiting(forSocket: path, retryTimeout: retryTimeout, failed: failed)
        }
        return try ReconnectingClient(socket: path, retryTimeout: retryTimeout, failed: failed)
    }
}

/// The administrator in whose name the service is called.
package struct ActorOptions: ParsableArguments {
    @Option(help: "The tenant's slug. [$ADMINEXPORT_TENANT]")
    var tenant: String?

    @Option(name: .customLong("as"), help: "The administrator's e-mail address. [$ADMINEXPORT_AS]")
    var administrator: String?

    /// Creates the options; the parser fills them.
    package init() {}

    /// nil if neither the tenant nor the administrator is named: then an operator calls.
    func actorOrOperator() throws -> ActorName? {
        tenantName == nil && administratorName == nil ? nil : try actor()
    }

    var tenantName: String? { tenant ?? ServiceOptions.variable("ADMINEXPORT_TENANT") }

    var administratorName: String? { administrator ?? ServiceOptions.variable("ADMINEXPORT_AS") }

    func actor() throws -> ActorName {
        guard let tenant = tenantName else {
            throw ValidationError("The tenant is missing: give --tenant SLUG, or set ADMINEXPORT_TENANT.")
        }
        guard let administrator = administratorName else {
            throw ValidationError("The administrator is missing: give --as E-MAIL, or set ADMINEXPORT_AS.")
        }
        return ActorName(tenant: tenant, administrator: administrator)
    }
}

/// What the workbook contains.
package struct ExportChoices: ParsableArguments {
    @Flag(help: "Also export disabled administrators.")
    var includeDisabled = false

    @Flag(help: "Add sheets of the tenant's profiles and teams, and of the groups that the administrator sees.")
    var includeReferences = false

    @Flag(
        inversion: .prefixedNo,
        help:
            "Add a last sheet that states who requested the export and when, the scope and the source of each column. (default: workbook.about of the service)"
    )
    var includeAbout: Bool?

    @Option(help: "Start only one export for this key: the same key returns the same export. (default: a new key each time)")
    var idempotencyKey: String?

    /// Creates the options; the parser fills them.
    package init() {}
}

/// Where the workbook is written.
package struct OutputOptions: ParsableArguments {
    @Option(
        name: [.customShort("o"), .long],
        help: ArgumentHelp(
            "The file to write; or a folder, in which the file gets the export's own name; or - for standard output. (default: the current folder)",
            valueName: "file"),
        completion: .file(extensions: ["xlsx"]))
    var output: String?

    @Flag(help: "Replace an existing file. The new file keeps owner and mode, as far as this user may set them.")
    var force = false

    @Flag(
        help: "Download the workbook in parts through the socket, instead of from a file descriptor that the service passes."
    )
    var inParts = false

    @Flag(help: "Also save the signed receipt, as the file's name and .receipt.json. See adminexport verify.")
    var receipt = false

    /// Refuses combinations that have no meaning.
    package func validate() throws {
        if receipt, output == "-" {
            throw ValidationError("--receipt saves a file beside the workbook, so -o - cannot be used with it.")
        }
    }

    /// Creates the options; the parser fills them.
    package init() {}
}
