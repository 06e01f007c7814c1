internal import ArgumentParser
internal import Client
internal import ExportAPI
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

/// In whose name the service is asked.
package struct ActorOptions: ParsableArguments {
    @Option(help: "The tenant's slug. [$ADMINEXPORT_TENANT]")
    var tenant: String?

    @Option(name: .customLong("as"), help: "The administrator's e-mail address. [$ADMINEXPORT_AS]")
    var administrator: String?

    package init() {}

    /// Nobody in particular, for operators, where neither is named.
    func actorOrOperator() throws -> Actor? {
        tenantName == nil && administratorName == nil ? nil : try actor()
    }

    var tenantName: String? { tenant ?? ServiceOptions.variable("ADMINEXPORT_TENANT") }

    var administratorName: String? { administrator ?? ServiceOptions.variable("ADMINEXPORT_AS") }

    func actor() throws -> Actor {
        guard let tenant = tenantName else {
            throw ValidationError("Name the tenant: --tenant SLUG, or ADMINEXPORT_TENANT.")
        }
        guard let administrator = administratorName else {
            throw ValidationError("Say in whose name: --as E-MAIL, or ADMINEXPORT_AS.")
        }
        return Actor(tenant: tenant, administrator: administrator)
    }
}

/// What is exported.
package struct ExportChoices: ParsableArguments {
    @Flag(help: "Export disabled administrators too.")
    var includeDisabled = false

    @Flag(help: "Add sheets of the tenant's profiles and teams, and of the groups that the administrator sees.")
    var includeReferences = false

    @Option(help: "Makes repeated starts one: the same key gives the same export.")
    var idempotencyKey: String?

    package init() {}
}

/// Where a workbook goes.
package struct OutputOptions: ParsableArguments {
    @Option(
        name: [.customShort("o"), .long],
        help: ArgumentHelp(
            "The file to write, or - for standard output. (default: the export's own name, here)", valueName: "file"),
        completion: .file(extensions: ["xlsx"]))
    var output: String?

    @Flag(help: "Replace a file that is there.")
    var force = false

    @Flag(help: "Fetch the workbook in parts through the socket, instead of by an open file that the service passes.")
    var inParts = false

    package init() {}
}
