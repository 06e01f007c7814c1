internal import JSONRPC
internal import NIOCore
internal import NIOPosix
internal import Sockets

/// A connected socket as the transport of a connection, on a channel of NIO.
///
/// NIO cannot pass descriptors. This type sends a line with a descriptor itself, on the socket and the event loop of the
/// channel. By then, NIO has written everything before that line, because one task at a time writes and waits for its write.
struct SocketTransport: Transport {
    typealias Inbound = AsyncMapSequence<NIOAsyncChannelInboundStream<ByteBuffer>, [UInt8]>

    /// The size of a read in bytes. Two reads may wait for each connection: enough for any usual request, and little memory for
    /// a thousand connections.
    private static let readSize = 16 * 1024
    /// The pause between attempts to pass a descriptor, if the system does not report when it can take one.
    private static let exhaustedWait: TimeAmount = .milliseconds(50)

    let inbound: Inbound
    private let channel: any Channel

    init(inbound: NIOAsyncChannelInboundStream<ByteBuffer>, channel: any Channel) {
        self.inbound = inbound.map { Array(buffer: $0) }
        self.channel = channel
    }

    /// Sets the options of the channels of connections.
    static func configure(_ bootstrap: ServerBootstrap) -> ServerBootstrap {
        bootstrap
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: readSize))
            .childChannelOption(.maxMessagesPerRead, value: 1)
    }

    /// Wraps a channel. Must be called on its event loop.
    static func wrap(_ channel: any Channel) throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        try NIOAsyncChannel(
            wrappingChannelSynchronously: channel,
            configuration: .init(backPressureStrategy: .init(lowWatermark: 1, highWatermark: 2)))
    }

    /// Runs the body with the descriptor of the channel. Must be called on its event loop.
    static func withDescriptor<Value>(of channel: any Channel, _ body: (Int32) throws -> Value) throws -> Value {
        let value = try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self, body)
        // A channel that was closed has no socket.
        guard let value else { throw ChannelError.ioOnClosedChannel }
        return value
    }

    /// Returns when the system has taken the bytes. The writer of ``NIOAsyncChannel`` returns when they are in its buffer,
    /// which is lost when the channel is closed.
    func write(_ bytes: ArraySlice<UInt8>, _ attachments: [any Attachment]) async throws {
        guard let attachment = attachments.first else {
            return try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
        }
        guard attachments.count == 1, let descriptor = attachment as? PassedDescriptor else {
            preconditionFailure("a line has one attachment at most, which is a descriptor")
        }
        let channel = channel
        try await channel.eventLoop.flatSubmit { Self.send(bytes, descriptor, channel) }.get()
    }

    /// Passes a descriptor with the first byte that the system takes. Must be called on the event loop. If the peer does not
    /// read, the ``StallDetector`` of the connection ends the wait.
    private static func send(
        _ bytes: ArraySlice<UInt8>, _ descriptor: PassedDescriptor, _ channel: any Channel
    ) -> EventLoopFuture<Void> {
        let sent: ConnectedSocket.Sent
        do {
            sent = try withDescriptor(of: channel) { try ConnectedSocket(borrowing: $0).send(bytes, descriptor) }
        } catch {
            return channel.eventLoop.makeFailedFuture(error)
        }
        switch sent {
        case .bytes(let count):
            let rest = bytes.dropFirst(count)
            guard !rest.isEmpty else { return channel.eventLoop.makeSucceededVoidFuture() }
            return channel.writeAndFlush(ByteBuffer(bytes: rest))
        case .full where bytes.count > 1:
            // NIO writes one byte when the socket is writable. Then the socket has room for more.
            return channel.writeAndFlush(ByteBuffer(bytes: bytes.prefix(1))).flatMap {
                send(bytes.dropFirst(), descriptor, channel)
            }
        case .full, .exhausted:
            return channel.eventLoop.flatScheduleTask(in: exhaustedWait) { send(bytes, descriptor, channel) }.futureResult
        }
    }

    var unread: Int {
        get async {
            let channel = channel
            let unread = channel.eventLoop.submit {
                try Self.withDescriptor(of: channel) { ConnectedSocket(borrowing: $0).unread }
            }
            // The system keeps nothing for a closed channel.
            return (try? await unread.get()) ?? 0
        }
    }

    func close() {
        channel.close(promise: nil)
    }
}

extension PassedDescriptor: Attachment {}
