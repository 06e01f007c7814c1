internal import AdminExportAPI
internal import AdminExportClient
internal import Crypto
internal import Foundation

/// Downloads a finished workbook to the destination of the options.
struct Download {
    let client: ReconnectingClient
    let actor: ActorName
    let options: OutputOptions

    /// Checks the destination before the service is called.
    static func check(_ options: OutputOptions) throws {
        try Destination(options.output).check(replacing: options.force)
    }

    /// - Returns: the file's path; nil for standard output.
    func run(_ job: Job) async throws -> String? {
        guard let path = Destination(options.output).path(named: job.fileName) else {
            try await toStandardOutput(job)
            return nil
        }
        var file = try WorkbookFile(path: path, replacing: options.force)
        try await fetch(job) { try file.append($0) }
        try file.keep(sha256: job.sha256)
        return path
    }

    private func fetch(_ job: Job, _ body: (Data) async throws -> Void) async throws {
        try await client.download(actor, job: job.id, inParts: options.inParts, body)
    }

    private func toStandardOutput(_ job: Job) async throws {
        var hash = SHA256()
        try await fetch(job) { data in
            hash.update(data: data)
            try Output.bytes(data)
        }
        try hash.check(job.sha256)
    }
}
