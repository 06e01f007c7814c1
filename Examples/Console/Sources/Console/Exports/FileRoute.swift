internal import AdminExportAPI
import AdminExportClient
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// `GET /exports/:id/file`: the workbook, streamed from the descriptor that the service passes to the browser, a part at a time.
struct FileRoute: Sendable {
    static let workbook = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    /// The time limit for a client to read more of the last part of a file.
    private static let readTimeout: Duration = .seconds(60)

    let connections: ServiceConnections
    let frame: Frame
    let transfers = Places(all: 128, each: 4)

    func respond(to request: Request, _ context: ConsoleContext) async throws -> Response {
        guard let actor = frame.visitor(of: request, context)?.actor else { throw HTTPError(.unauthorized) }
        let id = try context.parameters.require("id", as: UUID.self).uuidString.lowercased()
        let job = try await connections.call(ExportGet.self, .init(actor: actor, job: id)).job
        guard job.state == .succeeded, let size = job.size, size >= 0, let sha256 = job.sha256, let name = job.fileName
        else {
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
        // Only GET has ranges (RFC 9110, 14.2).
        let asked = request.method == .get ? request.headers[.range] : nil
        switch ByteRange(asked, ifRange: request.headers[.ifRange], tag: tag, size: size) {
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
        guard transfers.open(actor) else {
            throw HTTPError(.serviceUnavailable, headers: [.retryAfter: "5"])
        }
        let place = Closing { [transfers] in transfers.close(actor) }
        return Response(
            status: status, headers: headers, body: try await body(actor, id, range, on: context.channel, keeping: place))
    }

    /// - Throws: the error of opening the file, before the status of the answer is sent.
    private func body(
        _ actor: ActorName, _ id: String, _ range: Range<Int>, on channel: any Channel, keeping place: Closing
    ) async throws -> ResponseBody {
        // Open the file first, so that a denial becomes a status and not an interrupted download.
        let workbook: OpenWorkbook?
        do {
            workbook = try await connections.withClient { try await $0.open(actor, job: id, offset: range.lowerBound) }
        } catch let error as ClientError where error.kind == ErrorKind.overloaded.rawValue || error.code == .descriptorLost {
            // The service limits the open files of one user. Read the file in parts instead.
            workbook = nil
        }
        return ResponseBody(contentLength: range.count) { [connections] writer in
            defer { place.close() }
            var offset = range.lowerBound
            func write(_ data: Data) async throws {
                try await writer.write(ByteBuffer(bytes: data))
                offset += data.count
            }
            while offset < range.upperBound, let data = try await workbook?.read() {
                try await write(data.prefix(range.upperBound - offset))
            }
            if offset < range.upperBound {
                // The service stopped, or refused another open file: continue in parts.
                try await connections.withClient { client in
                    try await client.download(actor, job: id, from: offset, to: range.upperBound) { try await write($0) }
                }
            }
            // If the file is too short, close the connection: the client would read the next answer as the rest of the file.
            guard offset == range.upperBound else { throw HTTPError(.badGateway) }
            // A server that stops closes the connection when the end is written, and discards the bytes that the client has not read.
            try await Self.drain(channel)
            try await writer.finish(nil)
        }
    }

    /// Waits until the client has read everything.
    ///
    /// - Throws: if the client reads nothing for a minute.
    private static func drain(_ channel: any Channel) async throws {
        var least = Int.max
        var deadline = ContinuousClock.now + readTimeout
        while true {
            let waiting = try await channel.getOption(.bufferedWritableBytes).get()
            if waiting == 0 { return }
            if waiting < least {
                least = waiting
                deadline = .now + readTimeout
            }
            guard .now < deadline else { throw HTTPError(.requestTimeout) }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
