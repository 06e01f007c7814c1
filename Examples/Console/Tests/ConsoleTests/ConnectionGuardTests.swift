import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import Console

/// Uses an event loop whose clock advances only on request.
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

    @Test("The console closes a connection whose request is not complete within 20 seconds, even if bytes arrive")
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

    @Test("An answer may take any time, and the connection stays open for the next request")
    func slowAnswer() throws {
        for _ in 0..<3 {
            try channel.writeInbound(head)
            try channel.writeInbound(HTTPRequestPart.end(nil))
            loop.advanceTime(by: .seconds(3_600))
            try answer()
        }
        #expect(channel.isActive)
    }

    @Test("A client may send one request before it has the answer to the last one; a second one closes the connection")
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

    @Test("A connection to which the console cannot write for 60 seconds is closed; shorter pauses keep it open")
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
