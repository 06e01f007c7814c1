import Crypto
import Foundation
import HTTPTypes
import Hummingbird

/// The style sheet, the script and the icon, in memory.
struct Assets: Sendable {
    private let files: [String: Data]
    /// A digest of the contents.
    let version: String

    private static let types = [
        "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml",
    ]

    init(folder: URL) throws {
        var files: [String: Data] = [:]
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        where Self.types[file.pathExtension] != nil {
            files[file.lastPathComponent] = try Data(contentsOf: file)
        }
        self.files = files
        var hash = SHA256()
        for (name, data) in files.sorted(by: { $0.key < $1.key }) {
            hash.update(data: Data(name.utf8))
            hash.update(data: data)
        }
        version = Data(hash.finalize().prefix(9)).base64URL
    }

    /// `GET /assets/:version/:file`: the content under a version never changes.
    func respond(to request: Request, _ context: ConsoleContext) throws -> Response {
        let name = try context.parameters.require("file")
        guard try context.parameters.require("version") == version, let data = files[name],
            let type = Self.types[(name as NSString).pathExtension]
        else { throw HTTPError(.notFound) }
        return Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "public, max-age=31536000, immutable"],
            body: .init(byteBuffer: .init(bytes: data)))
    }
}
