import Foundation
import Hummingbird
import NIOCore

/// The context of a request.
struct ConsoleContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    var visitor: Visitor?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    var requestDecoder: URLEncodedFormDecoder { URLEncodedFormDecoder() }
    /// The forms have a few hundred bytes.
    var maxUploadSize: Int { 16 * 1024 }

    var peer: Peer { Peer(channel.remoteAddress) }
}

/// The peer of a connection.
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

    /// An IP address in canonical form. An IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) becomes an IPv4 address.
    static func canonical(_ text: String) -> String? {
        guard let address = (try? SocketAddress(ipAddress: text, port: 0))?.ipAddress else { return nil }
        let mapped = address.lowercased().hasPrefix("::ffff:") ? String(address.dropFirst("::ffff:".count)) : address
        return (try? SocketAddress(ipAddress: mapped, port: 0))?.ipAddress ?? address
    }
}
