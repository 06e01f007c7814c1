import NIOCore
import NIOHTTPTypes

/// Closes connections that make no progress: the client does not complete a request, does not read an answer, or sends more than one
/// request ahead of its answers, which no browser does.
///
/// The idle timeout of the HTTP server applies only to connections without a request in progress.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The time limit from the first line of a request to its end. The forms have a few hundred bytes.
    private static let requestTimeout: TimeAmount = .seconds(20)
    /// The time limit for a client to read from a full socket. The socket is full again after each 64 KiB or so.
    private static let readTimeout: TimeAmount = .seconds(60)

    private var outstanding = 0
    private var request: Scheduled<Void>?
    private var answer: Scheduled<Void>?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            outstanding += 1
            // One request may be ahead: the client receives the last byte of an answer before this handler sees its end.
            guard outstanding <= 2 else { return context.close(promise: nil) }
            request?.cancel()
            request = closing(context.channel, in: Self.requestTimeout)
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
        answer = context.channel.isWritable ? nil : closing(context.channel, in: Self.readTimeout)
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
