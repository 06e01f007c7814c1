private import Glibc
internal import JSONRPC
internal import NIOCore
internal import Sockets

/// Handles the errors of `accept` on the event loop of a listening socket.
///
/// Without a free descriptor, the handler sends the next peer an error with a descriptor in reserve. If that is not possible either, or
/// after another error, it accepts nothing for a while: epoll reports a waiting connection again and again.
final class AcceptErrorHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let pause: TimeAmount = .milliseconds(200)
    private static let exhausted = [EMFILE, ENFILE, ENOBUFS, ENOMEM]

    private let refused: () -> Void
    private let failed: (IOError) -> Void
    private var reserve = DescriptorReserve()

    /// - Parameters:
    ///   - refused: called when a peer got an error because no descriptor is left.
    ///   - failed: called when nothing could be accepted.
    init(refused: @escaping () -> Void, failed: @escaping (IOError) -> Void) {
        self.refused = refused
        self.failed = failed
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError else { return context.fireErrorCaught(error) }
        let channel = context.channel
        if Self.exhausted.contains(error.errnoCode), refuse(from: channel) { return refused() }
        failed(error)
        // Without reads NIO does not register the socket with epoll.
        try? channel.syncOptions?.setOption(.autoRead, value: false)
        channel.eventLoop.scheduleTask(in: Self.pause) {
            // Fails if the channel was closed.
            channel.setOption(.autoRead, value: true).whenComplete { _ in }
        }
    }

    private func refuse(from listener: any Channel) -> Bool {
        let isRefused = try? SocketTransport.withDescriptor(of: listener) {
            reserve.refuse(from: $0, OneLineReply.error(.noDescriptorLeft))
        }
        return isRefused == true
    }
}
