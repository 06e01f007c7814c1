import Client
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// `GET /exports/:id/file`: the workbook, streamed from the descriptor that the service passes to the browser, a part at a time.
struct FileRoute: Sendable {
    static let workbook = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    /// How long a browser may take nothing.
    private static let patience: Duration = .seconds(60)

    let connections: ServiceConnections

    func respond(to request: Request, _ context: ConsoleContext) async throws -> Response {
        guard let actor = context.visitor?.actor else { throw HTTPError(.unauthorized) }
        let id = try context.parameters.require("id", as: UUID.self).uuidString.lowercased()
        let job = try await connections.call(ExportGet.self, .init(actor: actor, job: id)).job
        guard job.state == .succeeded, let size = job.size, let sha256 = job.sha256, let name = job.fileName else {
            throw HTTPError(job.state == .expired ? .gone : .conflict)
        }
        let tag = "\"\(sha256)\""
        var headers: HTTPFields = [
            .contentType: Self.workbook, .contentDisposition: ContentDisposition.attachment(name), .eTag: tag,
            .acceptRanges: "bytes", .cacheControl: "private, no-cache",
        ]
        if ByteRange.matches(request.headers[.ifNoneMatch], tag: tag) {
            return Response(status: .notModified, headers: headers)
        }
        let range: Range<Int>
        var status = HTTPResponse.Status.ok
        switch ByteRange(request.headers[.range], ifRange: request.headers[.ifRange], tag: tag, size: size) {
        case .whole: range = 0..<size
        case .part(let part):
            range = part
            status = .partialContent
            headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)"
        case .unsatisfiable:
            return Response(
                status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(size)", .acceptRanges: "bytes"])
        }
        guard request.method == .get else {
            headers[.contentLength] = "\(range.count)"
            return Response(status: status, headers: headers)
        }
        return Response(
            status: status, headers: headers,
            body: try await body(actor, id, range, closing: context.channel))
    }

    /// - Throws: what keeps the file from being opened, while there is still a status to say it with.
    private func body(
        _ actor: Actor, _ id: String, _ range: Range<Int>, closing channel: any Channel
    ) async throws -> ResponseBody {
        // Whoever may not have the file any more is told so, and not by a download that breaks off.
        let workbook = try await connections.withClient { try await $0.open(actor, job: id, offset: range.lowerBound) }
        return ResponseBody(contentLength: range.count) { [connections] writer in
            let watchdog = Watchdog(channel, patience: Self.patience)
            defer { watchdog.stop() }
            var offset = range.lowerBound
            func write(_ data: Data) async throws {
                try await writer.write(ByteBuffer(bytes: data))
                offset += data.count
                watchdog.progressed()
            }
            while offset < range.upperBound, let data = try await workbook.read() {
                try await write(data.prefix(range.upperBound - offset))
            }
            if offset < range.upperBound {
                // The service had to stop; another may go on.
                try await connections.withClient { client in
                    try await client.download(actor, job: id, from: offset, to: range.upperBound) { try await write($0) }
                }
            }
            try await writer.finish(nil)
        }
    }
}
