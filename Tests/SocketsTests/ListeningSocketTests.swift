private import Foundation
import Sockets
import Testing

@Suite struct ListeningSocketTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        // Not the temporary folder of the system: a socket's path has little room.
        let folder = "/tmp/sockets-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func fault(_ path: String) -> SocketError.Code? {
        do throws(SocketError) {
            _ = try ListeningSocket(path: path)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("A socket that is served is not taken over; one that was left is")
    func takeOver() throws {
        try withFolder { folder in
            let path = folder + "/s"
            do {
                let socket = try ListeningSocket(path: path)
                #expect(fault(path) == .inUse)
                _ = try ClientSocket(path: path)
                let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
                #expect(mode == 0o660)
                _ = consume socket
            }
            #expect(!FileManager.default.fileExists(atPath: path))
            #expect(fault(path) == nil)
        }
    }

    @Test("A path that is too long, a folder that is not there and a file in the way are told apart")
    func badPaths() throws {
        try withFolder { folder in
            #expect(fault("/tmp/" + String(repeating: "x", count: 110)) == .pathTooLong)
            #expect(fault(folder + "/none/s") == .system)
            _ = FileManager.default.createFile(atPath: folder + "/file", contents: Data())
            #expect(fault(folder + "/file") == .notASocket)
            #expect(FileManager.default.fileExists(atPath: folder + "/file"))
        }
    }

    @Test("The kernel says who has connected")
    func peer() throws {
        try withFolder { folder in
            let socket = try ListeningSocket(path: folder + "/s")
            let client = try ClientSocket(path: folder + "/s")
            guard case .connection(let descriptor) = try socket.accept() else {
                Issue.record("no connection")
                return
            }
            let peer = try PeerCredentials(of: descriptor)
            #expect(peer.uid == getuid())
            #expect(peer.pid == getpid())
            #expect(peer.groups.contains(getgid()))
            close(descriptor)
            #expect(client.receive().bytes.isEmpty)
        }
    }
}
