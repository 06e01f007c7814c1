internal import JSONRPC
internal import NIOCore
private import NIOPosix
internal import Sockets

/// A connected socket as a connection's transport, on NIO's event loops.
///
/// NIO sends no descriptors: a line that has one goes by a second descriptor of the socket, when all that NIO was given
/// before has gone. One task writes, so the order holds.
struct SocketTransport: Transport {
    typealias Inbound = AsyncMapSequence<NIOAsyncChannelInboundStream<ByteBuffer>, [UInt8]>
    typealias Attachment = PassedDescriptor

    /// Bytes that are read at once, of which two pieces may wait: enough for any usual request, and little for a thousand
    /// connections.
    private static let readSize = 16 * 1024

    let inbound: Inbound
    private let channel: any Channel
    private let socket: ConnectedSocket

    init(inbound: NIOAsyncChannelInboundStream<ByteBuffer>, channel: any Channel, socket: ConnectedSocket) {
        self.inbound = inbound.map { Array(buffer: $0) }
        self.channel = channel
        self.socket = socket
    }

    /// Returns when the system has taken the bytes. NIO's own writer returns when they are in its buffer, which is lost
    /// when the channel is closed.
    func write(_ bytes: ArraySlice<UInt8>, _ attachments: [PassedDescriptor]) async throws {
        var rest = bytes
        if let descriptor = attachments.first {
            precondition(attachments.count == 1, "a line carries one descriptor at most")
            rest = rest.dropFirst(try await send(rest, descriptor))
        }
        if !rest.isEmpty { try await channel.writeAndFlush(ByteBuffer(bytes: rest)).get() }
    }

    /// Waits for room. If that takes too long, ``ServedConnection`` ends the connection.
    private func send(_ bytes: ArraySlice<UInt8>, _ descriptor: PassedDescriptor) async throws -> Int {
        var wait: Duration = .milliseconds(1)
        while true {
            if let count = try socket.send(bytes, descriptor) { return count }
            try await Task.sleep(for: wait)
            wait = min(wait * 2, .milliseconds(100))
        }
    }

    /// Hands the descriptor, which NIO closes from now on, to an event loop.
    static func channel(
        adopting descriptor: Int32, on group: any EventLoopGroup
    ) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        try await ClientBootstrap(group: group)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: readSize))
            .channelOption(.maxMessagesPerRead, value: 1)
            .withConnectedSocket(descriptor) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(backPressureStrategy: .init(lowWatermark: 1, highWatermark: 2)))
                }
            }
    }
}
