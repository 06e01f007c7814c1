internal import AdminExportAPI
import Foundation
import HTTPTypes
import Hummingbird

/// `GET /exports/:id/receipt`: the signed receipt of a workbook, also after the workbook has expired.
struct ReceiptRoute: Sendable {
    let connections: ServiceConnections
    let frame: Frame

    func respond(to request: Request, _ context: ConsoleContext) async throws -> Response {
        guard let actor = frame.visitor(of: request, context)?.actor else { throw HTTPError(.unauthorized) }
        let id = try context.parameters.require("id", as: UUID.self).uuidString.lowercased()
        let name = try await connections.call(ExportGet.self, .init(actor: actor, job: id)).job.fileName ?? id
        let receipt = try await connections.call(ExportReceipt.self, .init(actor: actor, job: id)).receipt
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Response(
            status: .ok,
            headers: [
                .contentType: "application/json",
                .contentDisposition: ContentDisposition.attachment(WorkbookName.receipt(of: name)),
                .cacheControl: "private, no-store",
            ], body: ResponseBody(byteBuffer: ByteBuffer(bytes: try encoder.encode(receipt) + Data("\n".utf8))))
    }
}
