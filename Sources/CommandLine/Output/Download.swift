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
        let destination = Destination(options.output)
        try destination.check(replacing: options.force)
        guard options.receipt else { return }
        switch destination {
        case .file(let path): try DownloadedFile.check(ReceiptFile.path(beside: path), replacing: options.force)
        case .folder, .standardOutput: break
        }
    }

    /// - Returns: the paths of the workbook, nil for standard output, and of its receipt, nil unless the options ask for it.
    func run(_ job: Job) async throws -> (workbook: String?, receipt: String?) {
        guard let path = Destination(options.output).path(named: job.fileName) else {
            try await toStandardOutput(job)
            return (nil, nil)
        }
        var file = try DownloadedFile(path: path, replacing: options.force)
        let receiptPath = options.receipt ? ReceiptFile.path(beside: path) : nil
        if let receiptPath { try DownloadedFile.check(receiptPath, replacing: options.force) }
        let receipt = options.receipt ? try await ReceiptFile.fetch(job.id, actor, client) : nil
        try await fetch(job) { try file.append($0) }
        try file.verify(sha256: job.sha256)
        // The receipt first: a workbook never lies beside the receipt of another one.
        if let receipt, let receiptPath { try ReceiptFile.write(receipt, to: receiptPath, replacing: options.force) }
        try file.keep()
        return (path, receiptPath)
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
