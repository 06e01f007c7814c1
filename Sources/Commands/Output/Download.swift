internal import Client
private import Crypto
internal import ExportAPI
internal import Foundation
private import Terminal

/// Fetches a finished workbook to where the options say.
struct Download {
    let client: Client
    let actor: Actor
    let options: OutputOptions

    /// Refuses what can be refused before anything is asked of the service.
    func checkDestination() throws {
        if options.output == "-" {
            guard !Output.isTerminal else {
                throw CommandFailure(
                    status: .usage, message: "a workbook is not for a terminal: redirect standard output, or name a file")
            }
        } else {
            // The export's own name has the day in the tenant's time zone, most likely today's here: a file that is in the way
            // is better found before the export than after it.
            let today = Date().formatted(.iso8601.year().month().day())
            let path = options.output ?? "administrators-\(actor.tenant)-\(today).xlsx"
            try WorkbookFile.checkFree(path, replacing: options.force)
        }
    }

    /// - Returns: the file's path; nil where it went to standard output.
    func run(_ job: Job) async throws -> String? {
        guard options.output != "-" else {
            try await toStandardOutput(job)
            return nil
        }
        let path = options.output ?? job.fileName ?? "administrators.xlsx"
        var file = try WorkbookFile(path: path, replacing: options.force)
        try await fetch(job) { try file.append($0) }
        try file.keep(sha256: job.sha256)
        return path
    }

    private func fetch(_ job: Job, _ body: (Data) async throws -> Void) async throws {
        if options.inParts {
            try await client.downloadInParts(actor, job: job.id, body)
        } else {
            try await client.download(actor, job: job.id, body)
        }
    }

    private func toStandardOutput(_ job: Job) async throws {
        var hash = SHA256()
        try await fetch(job) { data in
            hash.update(data: data)
            try Output.bytes(data)
        }
        let digest = hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        guard digest == job.sha256 else {
            throw CommandFailure(status: .failed, message: "the file arrived damaged (SHA-256 differs); try again")
        }
    }
}
