import Foundation
import Hummingbird
import NIOCore

/// What is known about a request beside the request.
struct ConsoleContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    var visitor: Visitor?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    var requestDecoder: URLEncodedFormDecoder { URLEncodedFormDecoder() }
    /// The forms here are a few hundred bytes long.
    var maxUploadSize: Int { 16 * 1024 }

    var peer: Peer { Peer(channel.remoteAddress) }
}

/// The other end of a connection.
enum Peer: Sendable, Equatable {
    case unix
    /// An IP address as text.
    case address(String)
    case unknown

    init(_ address: SocketAddress?) {
        switch address {
        case .unixDomainSocket: self = .unix
        case .some(let address): self = address.ipAddress.flatMap { Self.canonical($0) }.map { .address($0) } ?? .unknown
        case nil: self = .unknown
        }
    }

    /// An IP address in one spelling; one of version 4 stays one also where a socket of version 6 has it (RFC 4291, 2.5.5.2).
    static func canonical(_ text: String) -> String? {
        guard let address = (try? SocketAddress(ipAddress: text, port: 0))?.ipAddress else { return nil }
        let mapped = address.lowercased().hasPrefix("::ffff:") ? String(address.dropFirst("::ffff:".count)) : address
        return (try? SocketAddress(ipAddress: mapped, port: 0))?.ipAddress ?? address
    }
}
