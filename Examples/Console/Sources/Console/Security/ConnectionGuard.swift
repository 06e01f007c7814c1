import NIOCore
import NIOHTTPTypes

/// Closes connections on which nothing gets on: a request that does not come to its end, an answer that is not taken, requests that
/// are sent ahead of their answers, which no browser does.
///
/// The server's own idle time-out is for connections without a request; with one it waits without a limit.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// How long a request may take from its first line to its end. Forms here are a few hundred bytes.
    private static let requestTime: TimeAmount = .seconds(20)
    /// How long a browser may leave the socket full. It is full again after each 64 KiB or so.
    private static let patience: TimeAmount = .seconds(60)

    private var outstanding = 0
    private var request: Scheduled<Void>?
    private var answer: Scheduled<Void>?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            outstanding += 1
            // One may be ahead: the last byte of an answer is there a little before its end is noticed here.
            guard outstanding <= 2 else { return context.close(promise: nil) }
            request?.cancel()
            request = closing(context.channel, in: Self.requestTime)
        case .body: break
        case .end:
            request?.cancel()
            request = nil
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { outstanding -= 1 }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        answer?.cancel()
        answer = context.channel.isWritable ? nil : closing(context.channel, in: Self.patience)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        request?.cancel()
        answer?.cancel()
        context.fireChannelInactive()
    }

    private func closing(_ channel: any Channel, in time: TimeAmount) -> Scheduled<Void> {
        channel.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }
}
