internal import JSONRPC
internal import NIOCore
private import NIOPosix

/// A connected socket as a connection's transport, on NIO's event loops.
struct SocketTransport: Transport {
    typealias Inbound = AsyncMapSequence<NIOAsyncChannelInboundStream<ByteBuffer>, [UInt8]>

    let inbound: Inbound
    private let channel: any Channel

    init(inbound: NIOAsyncChannelInboundStream<ByteBuffer>, channel: any Channel) {
        self.inbound = inbound.map { Array($0.readableBytesView) }
        self.channel = channel
    }

    /// Returns when the system has taken the bytes. NIO's own writer returns when they are in its buffer, which is lost
    /// when the channel is closed.
    func write(_ bytes: ArraySlice<UInt8>) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    /// Hands the descriptor, which NIO closes from now on, to an event loop.
    static func channel(
        adopting descriptor: Int32, on group: any EventLoopGroup
    ) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        try await ClientBootstrap(group: group)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .withConnectedSocket(descriptor) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
    }
}
