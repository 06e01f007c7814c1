import AdminExportAPI
import Foundation
import Sockets
import Testing

/// The service's end of a connection. A test reads requests from it and sends lines, with or without a descriptor.
final class ScriptedService: Sendable {
    private let raw: Int32
    private let file: FileHandle

    private init(_ raw: Int32) {
        // If a request does not arrive within 20 s, the test fails.
        var timeout = [20, 0]
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(2 * MemoryLayout<Int>.size))
        self.raw = raw
        file = FileHandle(fileDescriptor: raw, closeOnDealloc: true)
    }

    /// A service, and the descriptor of the client's end.
    static func pair() throws -> (service: ScriptedService, client: Int32) {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        return (ScriptedService(ends[1]), ends[0])
    }

    struct Request {
        let id: Int
        let method: String
        let params: JSONValue
    }

    /// The next line as JSON.
    func line() async throws -> JSONValue {
        let data = await withCheckedContinuation { continuation in
            DispatchQueue.global().async { [file] in
                var line = Data()
                while let byte = try? file.read(upToCount: 1), !byte.isEmpty, byte != Data("\n".utf8) { line += byte }
                continuation.resume(returning: line)
            }
        }
        return try JSONDecoder().decode(JSONValue.self, from: data)
    }

    /// The next request, which must call the method.
    func request(_ method: String) async throws -> Request {
        let line = try await line()
        guard case .integer(let id)? = line["id"], case .string(let name)? = line["method"] else {
            throw CocoaError(.coderInvalidValue)
        }
        #expect(name == method)
        return Request(id: id, method: name, params: line["params"] ?? .null)
    }

    func send(_ text: String) {
        file.write(Data((text + "\n").utf8))
    }

    func answer(_ request: Request, _ result: some Encodable) throws {
        send(try Self.line(request, result))
    }

    /// Answers with a descriptor and closes this process's copy of it.
    func answer(_ request: Request, _ result: some Encodable, passing descriptor: Int32) throws {
        let bytes = Array((try Self.line(request, result) + "\n").utf8)
        let sent = try ConnectedSocket(borrowing: raw).send(bytes[...], PassedDescriptor(adopting: descriptor))
        #expect(sent == .bytes(bytes.count))
    }

    private static func line(_ request: Request, _ result: some Encodable) throws -> String {
        let json = String(decoding: try JSONEncoder().encode(result), as: UTF8.self)
        return #"{"jsonrpc":"2.0","id":\#(request.id),"result":\#(json)}"#
    }

    func close() {
        shutdown(raw, Int32(SHUT_RDWR))
    }
}
