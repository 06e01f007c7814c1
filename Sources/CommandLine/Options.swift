internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// Where the service is, and how results are printed.
package struct ServiceOptions: ParsableArguments {
    static let defaultSocket = Client.defaultSocket

    @Option(help: "The service's socket. [$ADMINEXPORT_SOCKET]", completion: .file())
    var socket: String?

    @Flag(help: "Print results as JSON.")
    var json = false

    package init() {}

    var path: String { socket ?? Self.variable("ADMINEXPORT_SOCKET") ?? Self.defaultSocket }

    func connect() throws -> Client {
        try Client(socket: path)
    }

    /// An environment variable that is set to something.
    static func variable(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}

/// For how long a service that restarts is called again.
package struct WaitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How long to call a service that cannot be reached, such as 30s or 5m. (default: 1m after it has answered once, otherwise 0s)",
            valueName: "duration"),
        transform: WaitOptions.duration)
    var wait: Duration?

    package init() {}

    /// `90`, `90s`, `5m`, `1h`: seconds where there is no unit.
    static func duration(_ text: String) throws -> Duration {
        guard let match = text.wholeMatch(of: /([0-9]{1,6})(s|m|h)?/), let number = Int(match.1) else {
            throw ValidationError("\(text) is not a duration, such as 30s, 5m or 1h.")
        }
        let seconds = match.2.map { ["s": 1, "m": 60, "h": 3_600][$0] ?? 1 } ?? 1
        let duration = Duration.seconds(number * seconds)
        guard duration <= .seconds(86_400) else { throw ValidationError("--wait must be at most 24h.") }
        return duration
    }
}

extension ServiceOptions {
    /// A connection that outlives restarts of the service, for calls that may be made again.
    ///
    /// - Parameters:
    ///   - wait: as ``WaitOptions`` has it.
    ///   - say: told once each time that the service is lost.
    func connect(
        waiting wait: Duration?, say: @escaping @Sendable (TerminalText) -> Void = { Output.message($0) }
    ) async throws -> ReconnectingClient {
        let patience = wait ?? ReconnectingClient.defaultPatience
        let failed: @Sendable (ClientError, Int) -> Void = { error, failures in
            // Most restarts are over before anybody has noticed.
            if failures == 4 { say("\(error.message); calling again for up to \(patience.components.seconds) s") }
        }
        if let wait, wait > .zero {
            return try await ReconnectingClient.waiting(forSocket: path, patience: patience, failed: failed)
        }
        return try ReconnectingClient(socket: path, patience: patience, failed: failed)
    }
}

/// In whose name the service is asked.
package struct ActorOptions: ParsableArguments {
    @Option(help: "The tenant's slug. [$ADMINEXPORT_TENANT]")
    var tenant: String?

    @Option(name: .customLong("as"), help: "The administrator's e-mail address. [$ADMINEXPORT_AS]")
    var administrator: String?

    package init() {}

    /// Nobody in particular, for operators, where neither is named.
    func actorOrOperator() throws -> ActorName? {
        tenantName == nil && administratorName == nil ? nil : try actor()
    }

    var tenantName: String? { tenant ?? ServiceOptions.variable("ADMINEXPORT_TENANT") }

    var administratorName: String? { administrator ?? ServiceOptions.variable("ADMINEXPORT_AS") }

    func actor() throws -> ActorName {
        guard let tenant = tenantName else {
            throw ValidationError("Name the tenant: --tenant SLUG, or ADMINEXPORT_TENANT.")
        }
        guard let administrator = administratorName else {
            throw ValidationError("Say in whose name: --as E-MAIL, or ADMINEXPORT_AS.")
        }
        return ActorName(tenant: tenant, administrator: administrator)
    }
}

/// What is exported.
package struct ExportChoices: ParsableArguments {
    @Flag(help: "Export disabled administrators too.")
    var includeDisabled = false

    @Flag(help: "Add sheets of the tenant's profiles and teams, and of the groups that the administrator sees.")
    var includeReferences = false

    @Option(help: "Makes repeated starts one: the same key gives the same export. (default: a key of its own each time)")
    var idempotencyKey: String?

    package init() {}
}

/// Where a workbook goes.
package struct OutputOptions: ParsableArguments {
    @Option(
        name: [.customShort("o"), .long],
        help: ArgumentHelp(
            "The file to write; a folder, to write into it under the export's own name; or - for standard output. (default: this folder)",
            valueName: "file"),
        completion: .file(extensions: ["xlsx"]))
    var output: String?

    @Flag(help: "Replace a file that is there; it keeps its owner and its mode where this user may give them.")
    var force = false

    @Flag(help: "Fetch the workbook in parts through the socket, instead of by an open file that the service passes.")
    var inParts = false

    package init() {}
}
