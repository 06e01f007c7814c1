public import AdminExportAPI
public import Foundation

extension Client {
    /// How often in a row a pipe that ends too early is opened again without having given anything.
    private static let patience = 3

    /// Reads a finished workbook, or a part of it, and hands its bytes on in order.
    ///
    /// The service passes a pipe, which is opened again where it ends too early; where it cannot pass one, parts are asked
    /// for.
    ///
    /// - Parameters:
    ///   - start: the first byte that is wanted.
    ///   - end: the byte before which to stop; nil for the workbook's end.
    /// - Throws: ``ClientError``; what `body` throws.
    public func download(
        _ actor: ActorName, job: String, from start: Int = 0, to end: Int? = nil, _ body: (Data) async throws -> Void
    ) async throws {
        var offset = start
        var patience = Self.patience
        do {
            while patience > 0 {
                let workbook = try await open(actor, job: job, offset: offset)
                let end = min(end ?? workbook.size, workbook.size)
                let start = offset
                while offset < end, let data = try await workbook.read() {
                    try await body(data.prefix(end - offset))
                    offset += data.count
                }
                if offset >= end {
                    // What comes after a part is the workbook's as well; after its end there is nothing.
                    guard offset <= workbook.size else {
                        throw ClientError(.protocolViolation, "the service sent more than the workbook")
                    }
                    return
                }
                patience = offset > start ? Self.patience : patience - 1
            }
        } catch let error as ClientError where error.isAboutPassing {}
        try await downloadInParts(actor, job: job, from: offset, to: end, body)
    }

    /// As ``download(_:job:from:to:_:)``, through the socket alone.
    public func downloadInParts(
        _ actor: ActorName, job: String, from start: Int = 0, to end: Int? = nil, _ body: (Data) async throws -> Void
    ) async throws {
        var offset = start
        while offset < end ?? .max {
            let length = min(ExportRead.longest, (end ?? .max) - offset)
            let part = try await call(
                ExportRead.self, .init(actor: actor, job: job, offset: offset, length: length))
            guard let data = Data(base64Encoded: part.data), part.offset == offset, part.eof || !data.isEmpty,
                data.count <= length
            else {
                throw ClientError(.protocolViolation, "the service sent a part that was not asked for")
            }
            try await body(data)
            offset += data.count
            if part.eof { return }
        }
    }
}

extension ClientError {
    /// Whether the file may well be had through the socket.
    fileprivate var isAboutPassing: Bool {
        code == .descriptorLost || kind == ErrorKind.methodNotFound.rawValue || kind == ErrorKind.overloaded.rawValue
    }
}
