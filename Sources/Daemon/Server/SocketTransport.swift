internal import JSONRPC
internal import NIOCore
private import NIOPosix

/// A connected socket as a connection's transport, on NIO's event loops.
struct SocketTransport: Transport {
    typealias Inbound = AsyncMapSequence<NIOAsyncChannelInboundStream<ByteBuffer>, [UInt8]>

    let inbound: Inbound
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>

    init(inbound: NIOAsyncChannelInboundStream<ByteBuffer>, outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) {
        self.inbound = inbound.map { Array($0.readableBytesView) }
        self.outbound = outbound
    }

    /// Waits while the peer reads slowly.
    func write(_ bytes: [UInt8]) async throws {
        try await outbound.write(ByteBuffer(bytes: bytes))
    }

    /// Hands the descriptor, which NIO closes from now on, to an event loop.
    static func channel(
        adopting descriptor: Int32, on group: any EventLoopGroup
    ) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        try await ClientBootstrap(group: group)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: true)
            .withConnectedSocket(descriptor) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
    }
}
