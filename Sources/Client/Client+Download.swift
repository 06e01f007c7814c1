public import ExportAPI
public import Foundation

extension Client {
    /// How often in a row a pipe that ends too early is opened again without having given anything.
    private static let patience = 3

    /// Reads a finished workbook from its start to its end and hands its parts on in order.
    ///
    /// The service passes a pipe, which is opened again where it ends too early; where it cannot pass one, parts are asked
    /// for.
    ///
    /// - Throws: ``ClientError``; what `body` throws.
    public func download(
        _ actor: Actor, job: String, _ body: (Data) async throws -> Void
    ) async throws {
        var offset = 0
        var patience = Self.patience
        do {
            while patience > 0 {
                let workbook = try await open(actor, job: job, offset: offset)
                let start = offset
                while let data = try await workbook.read() {
                    try await body(data)
                    offset += data.count
                }
                if offset == workbook.size { return }
                guard offset < workbook.size else {
                    throw ClientError(.protocolViolation, "the service sent more than the workbook")
                }
                patience = offset > start ? Self.patience : patience - 1
            }
        } catch let error as ClientError where error.isAboutPassing {}
        try await downloadInParts(actor, job: job, from: offset, body)
    }

    /// As ``download(_:job:_:)``, through the socket alone.
    public func downloadInParts(
        _ actor: Actor, job: String, from start: Int = 0, _ body: (Data) async throws -> Void
    ) async throws {
        var offset = start
        while true {
            let part = try await call(
                ExportRead.self, .init(actor: actor, job: job, offset: offset, length: ExportRead.longest))
            guard let data = Data(base64Encoded: part.data), part.offset == offset, part.eof || !data.isEmpty else {
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
