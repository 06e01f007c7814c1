import AdminExportAPI
import AdminExportClient
import Foundation
import Testing

/// A client whose service answers when nobody waits any more.
@Suite(.timeLimit(.minutes(1))) struct LateWatchTests {
    @Test("A watch that is given up before it is answered is ended when the answer comes")
    func givenUp() async throws {
        var ends: [Int32] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let client = Client(connected: ends[0])
        let service = Peer(ends[1])
        let watch = Task { _ = try await client.watch(ActorName(tenant: "t", administrator: "a"), job: "j") }
        let asked = try await service.line()
        #expect(asked["method"] as? String == ExportWatch.name)
        let id = try #require(asked["id"] as? Int)
        watch.cancel()
        #expect(try await service.line()["method"] as? String == "$/cancelRequest")
        await #expect(throws: CancellationError.self) { try await watch.value }

        let job = String(decoding: try JSONEncoder().encode(ExportWatch.examples[0].result.job), as: UTF8.self)
        service.send(#"{"jsonrpc":"2.0","id":\#(id),"result":{"subscription":"s1","job":\#(job)}}"#)
        let ended = try await service.line()
        #expect(ended["method"] as? String == ExportUnwatch.name)
        #expect((ended["params"] as? [String: String])?["subscription"] == "s1")
    }

    /// The other end, a line at a time.
    private final class Peer: Sendable {
        private let file: FileHandle

        init(_ descriptor: Int32) {
            // What does not come is not waited for.
            // Seconds and microseconds, as timeval has them; two modules define its initializer here.
            var timeout = [20, 0]
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(2 * MemoryLayout<Int>.size))
            file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        }

        func line() async throws -> [String: Any] {
            let data = await withCheckedContinuation { continuation in
                DispatchQueue.global().async { [file] in
                    var line = Data()
                    while let byte = try? file.read(upToCount: 1), !byte.isEmpty, byte != Data("\n".utf8) { line += byte }
                    continuation.resume(returning: line)
                }
            }
            return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        }

        func send(_ line: String) {
            file.write(Data((line + "\n").utf8))
        }
    }
}
