private import Foundation
import Sockets
import Testing

@Suite struct ListeningSocketTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        // A short folder, because the length of a socket's path is limited.
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

    @Test("A socket that a process serves is not replaced; one that a process left is")
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

    @Test("A path that is too long, a missing folder and another file at the path give different errors")
    func badPaths() throws {
        try withFolder { folder in
            #expect(fault("/tmp/" + String(repeating: "x", count: 110)) == .pathTooLong)
            #expect(fault(folder + "/none/s") == .system)
            _ = FileManager.default.createFile(atPath: folder + "/file", contents: Data())
            #expect(fault(folder + "/file") == .notASocket)
            #expect(FileManager.default.fileExists(atPath: folder + "/file"))
        }
    }

    @Test("The kernel reports the user, the process and the groups of a peer")
    func peer() throws {
        try withFolder { folder in
            var socket = try ListeningSocket(path: folder + "/s")
            let listener = socket.release()
            defer { close(listener) }
            let client = try ClientSocket(path: folder + "/s")
            let descriptor = accept(listener, nil, nil)
            let peer = try PeerCredentials(of: descriptor)
            #expect(peer.uid == getuid())
            #expect(peer.pid == getpid())
            #expect(peer.groups.contains(getgid()))
            close(descriptor)
            #expect(client.receive().bytes.isEmpty)
        }
    }

    @Test("A released descriptor accepts connections, and the path is removed with the socket")
    func release() throws {
        try withFolder { folder in
            let path = folder + "/s"
            let listener: Int32
            do {
                var socket = try ListeningSocket(path: path)
                listener = socket.release()
                _ = try ClientSocket(path: path)
                _ = consume socket
            }
            #expect(!FileManager.default.fileExists(atPath: path))
            #expect(fcntl(listener, F_GETFL) & O_NONBLOCK != 0)
            #expect(fcntl(listener, F_GETFD) & FD_CLOEXEC != 0)
            let waiting = accept(listener, nil, nil)
            #expect(waiting >= 0)
            close(waiting)
            close(listener)
        }
    }

    @Test("A reserve of descriptors refuses one connection after another with a message")
    func reserve() throws {
        try withFolder { folder in
            var socket = try ListeningSocket(path: folder + "/s")
            let listener = socket.release()
            defer { close(listener) }
            var reserve = DescriptorReserve()
            // No connection waits, so nothing is refused.
            var isOpen = reserve.refuse(from: listener, Array("nobody".utf8))
            #expect(!isOpen)
            for message in ["first", "second"] {
                let client = try ClientSocket(path: folder + "/s")
                isOpen = reserve.refuse(from: listener, Array(message.utf8))
                #expect(isOpen)
                #expect(String(decoding: client.receive().bytes, as: UTF8.self) == message)
                #expect(client.receive().bytes.isEmpty)
            }
        }
    }

    @Test("A descriptor arrives with the first bytes; a full socket takes neither bytes nor descriptor")
    func descriptor() throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let client = ClientSocket(adopting: ends[0])
        let socket = ConnectedSocket(borrowing: ends[1])
        let passed = PassedDescriptor(adopting: open("/dev/null", O_RDONLY | O_CLOEXEC))
        #expect(try socket.send(Array("line".utf8)[...], passed) == .bytes(4))
        #expect(socket.unread > 0)
        let received = client.receive()
        #expect(received.bytes == Array("line".utf8) && received.descriptors.count == 1)
        #expect(socket.unread == 0)
        let piece = [UInt8](repeating: 0, count: 4_096)
        var count = 0
        while case .bytes(let sent) = try socket.send(piece[...], passed) { count += sent }
        #expect(count > 0)
        #expect(try socket.send(piece[...], passed) == .full)
        close(ends[1])
    }
}
