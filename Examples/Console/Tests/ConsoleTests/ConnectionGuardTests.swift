import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import Console

/// A loop whose clock stands until it is told.
@Suite struct ConnectionGuardTests {
    private let loop = EmbeddedEventLoop()
    private let channel: EmbeddedChannel

    init() throws {
        channel = EmbeddedChannel(handler: ConnectionGuard(), loop: loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private let head = HTTPRequestPart.head(HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: "/"))

    private func answer() throws {
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        try channel.writeOutbound(HTTPResponsePart.end(nil))
    }

    @Test("A request that has not come to its end in 20 seconds closes the connection, however often a byte comes")
    func slowRequest() throws {
        try channel.writeInbound(head)
        for _ in 0..<3 {
            loop.advanceTime(by: .seconds(6))
            try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "x")))
            #expect(channel.isActive)
        }
        loop.advanceTime(by: .seconds(3))
        #expect(!channel.isActive)
    }

    @Test("A request that has come may be answered in any time, and the next one after it")
    func slowAnswer() throws {
        for _ in 0..<3 {
            try channel.writeInbound(head)
            try channel.writeInbound(HTTPRequestPart.end(nil))
            loop.advanceTime(by: .seconds(3_600))
            try answer()
        }
        #expect(channel.isActive)
    }

    @Test("One request may be ahead of the answer before it, and no more")
    func ahead() throws {
        for _ in 0..<2 {
            try channel.writeInbound(head)
            try channel.writeInbound(HTTPRequestPart.end(nil))
        }
        #expect(channel.isActive)
        try answer()
        try channel.writeInbound(head)
        try channel.writeInbound(HTTPRequestPart.end(nil))
        #expect(channel.isActive)
        try channel.writeInbound(head)
        loop.run()
        #expect(!channel.isActive)
    }

    @Test("A browser that makes no room for 60 seconds is let go; one that does now and then is not")
    func slowReader() throws {
        for _ in 0..<5 {
            channel.isWritable = false
            channel.pipeline.fireChannelWritabilityChanged()
            loop.advanceTime(by: .seconds(59))
            channel.isWritable = true
            channel.pipeline.fireChannelWritabilityChanged()
        }
        loop.advanceTime(by: .seconds(3_600))
        #expect(channel.isActive)
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        loop.advanceTime(by: .seconds(61))
        #expect(!channel.isActive)
    }
}
