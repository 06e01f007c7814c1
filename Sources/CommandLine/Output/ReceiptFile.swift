internal import AdminExportAPI
internal import AdminExportClient
internal import Foundation

/// The file of a receipt, beside its workbook.
enum ReceiptFile {
    /// The path of the receipt that belongs to a workbook.
    static func path(beside workbook: String) -> String {
        let folder = workbook.utf8.lastIndex(of: UInt8(ascii: "/")).map { workbook[...$0] } ?? ""
        let name = String(workbook.dropFirst(folder.count))
        return folder + (name.hasSuffix(".xlsx") ? WorkbookName.receipt(of: name) : name + ".receipt.json")
    }

    /// The receipt as it is saved: JSON on one line.
    static func fetch(_ job: String, _ actor: ActorName, _ client: ReconnectingClient) async throws -> Data {
        let receipt = try await client.call(ExportReceipt.self, .init(actor: actor, job: job)).receipt
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(receipt) + Data("\n".utf8)
    }

    /// Writes a receipt completely or not at all.
    ///
    /// - Throws: ``CommandFailure`` with the status 73.
    static func write(_ bytes: Data, to path: String, replacing: Bool) throws {
        var file = try DownloadedFile(path: path, replacing: replacing)
        try file.append(bytes)
        try file.keep()
    }
}
