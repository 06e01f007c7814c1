internal import AdminExportAPI
internal import ArgumentParser
private import Foundation

/// Prints what `rpc.discover` answers.
struct OpenRPCCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "openrpc", abstract: "Print the protocol as an OpenRPC document.")

    func run() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let document = try encoder.encode(OpenRPC.document(version: AdminExportDaemon.version))
        try FileHandle.standardOutput.write(contentsOf: document + Data("\n".utf8))
    }
}
