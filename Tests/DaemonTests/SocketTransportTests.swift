import Foundation
import NIOCore
import NIOPosix
import Sockets
import Synchronization
import Testing
import TestSupport

@testable import Daemon

@Suite(.timeLimit(.minutes(10))) struct SocketTransportTests {
    /// Runs the body with a transport on one end of a pair of sockets, and closes both.
    private func withTransport(
        _ body: (SocketTransport, any Channel, _ peer: Int32) async throws -> Void
    ) async throws {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK, 0, &ends) == 0)
        defer { close(ends[1]) }
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .withConnectedSocket(ends[0]) { channel in
                channel.eventLoop.makeCompletedFuture { try SocketTransport.wrap(channel) }
            }
        try await channel.executeThenClose { inbound, _ in
            try await body(SocketTransport(inbound: inbound, channel: channel.channel), channel.channel, ends[1])
        }
    }

    private func descriptor() -> PassedDescriptor {
        PassedDescriptor(adopting: open("/dev/null", O_RDONLY | O_CLOEXEC))
    }

    @Test("A channel that was closed keeps nothing for its peer, and refuses bytes and descriptors")
    func closed() async throws {
        try await withTransport { transport, channel, _ in
            transport.close()
            try await channel.closeFuture.get()
            // The pipeline is dismantled in a later task of the event loop.
            for _ in 0..<3 { try await channel.eventLoop.submit {}.get() }
            #expect(await transport.unread == 0)
            let bytes = Array("line\n".utf8)[...]
            await #expect(throws: (any Error).self) { try await transport.write(bytes, [self.descriptor()]) }
            await #expect(throws: (any Error).self) { try await transport.write(bytes, []) }
        }
    }

    @Test("A line with a descriptor arrives whole and once when the socket was full, and the descriptor with it")
    func fullSocket() async throws {
        try await withTransport { transport, channel, peer in
            let raw = try await channel.eventLoop.submit { try SocketTransport.withDescriptor(of: channel) { $0 } }.get()
            let filler = [UInt8](repeating: 0x20, count: 4_096)
            var filled = 0
            while true {
                let count = send(raw, filler, filler.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                guard count > 0 else { break }
                filled += count
            }
            let line = Array(String(repeating: "x", count: 1_000).utf8) + [0x0A]
            async let written: Void = transport.write(line[...], [descriptor()])
            try await eventually("the write waits") { await transport.unread > 0 }
            // Blocking reads, from here on.
            _ = fcntl(peer, F_SETFL, 0)
            let client = ClientSocket(adopting: dup(peer))
            var bytes: [UInt8] = []
            var descriptors = 0
            while bytes.count < filled + line.count {
                let received = client.receive()
                guard !received.bytes.isEmpty else { break }
                bytes += received.bytes
                descriptors += received.descriptors.count
            }
            try await written
            #expect(bytes.count == filled + line.count && Array(bytes.suffix(line.count)) == line)
            #expect(descriptors == 1)
        }
    }

    @Test("After an error of accept, a listener pauses, and then accepts connections again")
    func acceptError() async throws {
        try await TemporaryFolder.with { folder in
            let (failed, accepted) = (Counter(), Counter())
            let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = AcceptErrorHandler(refused: {}) { _ in failed.increase() }
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                }
                .childChannelInitializer { channel in
                    accepted.increase()
                    return channel.eventLoop.makeSucceededVoidFuture()
                }
                .bind(unixDomainSocketPath: folder + "/s").get()
            func isReading() async throws -> Bool { try await listener.getOption(.autoRead).get() }
            listener.pipeline.fireErrorCaught(IOError(errnoCode: EPROTO, reason: "accept"))
            try await eventually("the error is reported") { failed.value == 1 }
            #expect(try await !isReading())
            let client = try ClientSocket(path: folder + "/s")
            try await eventually("it accepts again") { accepted.value == 1 }
            #expect(try await isReading())
            client.shutdown()
            try await listener.close()
        }
    }

    private final class Counter: Sendable {
        private let count = Atomic(0)

        var value: Int { count.load(ordering: .relaxed) }

        func increase() { count.add(1, ordering: .relaxed) }
    }
}
