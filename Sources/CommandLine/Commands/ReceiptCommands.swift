private import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// Saves the receipt of a finished export.
struct ReceiptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receipt", abstract: "Save the signed receipt of a finished export.",
        discussion: """
            The receipt states who requested the workbook, when, from which state of the data and with which filters, and the digest of \
            the file. The service keeps it longer than the workbook. To verify it, use adminexport verify.
            """)

    @OptionGroup var service: ServiceOptions
    @OptionGroup var asActor: ActorOptions
    @OptionGroup var job: JobArgument
    @OptionGroup var waiting: WaitOptions

    @Option(
        name: [.customShort("o"), .long],
        help: ArgumentHelp(
            "The file to write; or a folder, in which the file gets the workbook's name and .receipt.json; or - for standard output. (default: the current folder)",
            valueName: "file"),
        completion: .file(extensions: ["json"]))
    var output: String?

    @Flag(help: "Replace an existing file. The new file keeps owner and mode, as far as this user may set them.")
    var force = false

    func run() async throws {
        let actor = try asActor.actor()
        try await reportingFailures {
            let client = try await service.connect(waiting: waiting.wait)
            if output == "-" { return try Output.bytes(await ReceiptFile.fetch(job.id, actor, client)) }
            let destination = Destination(output)
            try destination.check(replacing: force)
            let path: String
            switch destination {
            case .file(let file): path = file
            case .folder, .standardOutput:
                let name = try await client.call(ExportGet.self, .init(actor: actor, job: job.id)).job.fileName
                path = ReceiptFile.path(beside: destination.path(named: name) ?? "")
                // Each call of export.receipt is in the audit trail.
                try DownloadedFile.check(path, replacing: force)
            }
            try ReceiptFile.write(try await ReceiptFile.fetch(job.id, actor, client), to: path, replacing: force)
            try Output.path(path)
        }
    }
}
