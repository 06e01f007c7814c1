internal import ExportAPI
private import Glibc
internal import JSONRPC
internal import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import Sockets
private import Synchronization

/// Serves callers: accepts connections within the limits, looks each peer up, and runs its JSON-RPC connection.
///
/// On a graceful shutdown it takes no more connections, answers what is in flight, and closes.
final class SocketServer: Service {
    /// How long requests in flight may take after the service was told to stop.
    private static let shutdownGrace: Duration = .seconds(8)

    private let acceptor: Acceptor
    private let group: any EventLoopGroup
    private let dispatcher: Dispatcher<Session>
    private let policy: CallerPolicy
    private let limits: ServiceInfo.Limits
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var connections = 0
        var connectionsPerUser: [UInt32: Int] = [:]
        var stoppingSince: ContinuousClock.Instant?
    }

    init(
        socket: consuming ListeningSocket, group: any EventLoopGroup, dispatcher: Dispatcher<Session>, policy: CallerPolicy,
        limits: ServiceInfo.Limits, logger: Logger
    ) {
        acceptor = Acceptor(logger: logger)
        self.group = group
        self.dispatcher = dispatcher
        self.policy = policy
        self.limits = limits
        self.logger = logger
        acceptor.start(socket)
    }

    func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { tasks in
                for await descriptor in acceptor.connections {
                    guard let peer = admit(descriptor) else { continue }
                    tasks.addTask {
                        await self.serve(descriptor, peer)
                        self.release(peer)
                    }
                }
            }
        } onGracefulShutdown: {
            self.state.withLock { $0.stoppingSince = .now }
            self.acceptor.stop()
        }
    }

    // MARK: Admission

    /// Looks the peer up and counts it; one over a limit is told so and let go.
    private func admit(_ descriptor: Int32) -> PeerIdentity? {
        guard let peer = try? PeerIdentity(of: descriptor) else {
            close(descriptor)
            return nil
        }
        let fault: String? = state.withLock { state in
            let ofUser = state.connectionsPerUser[peer.uid, default: 0]
            if state.connections >= limits.connections {
                return "The service has \(limits.connections) connections, and takes no more. Try again in a moment."
            }
            if ofUser >= limits.connectionsPerUser {
                return "This user has \(limits.connectionsPerUser) connections, and may have no more. Close some."
            }
            state.connections += 1
            state.connectionsPerUser[peer.uid] = ofUser + 1
            return nil
        }
        guard let fault else { return peer }
        logger.notice("Refused a connection over the limit", metadata: ["uid": "\(peer.uid)"])
        let line = OneLineReply.error(RPCError(ErrorCode.overloaded, "overloaded", fault, retryable: true))
        _ = send(descriptor, line, line.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        close(descriptor)
        return nil
    }

    private func release(_ peer: PeerIdentity) {
        state.withLock { state in
            state.connections -= 1
            let left = state.connectionsPerUser[peer.uid, default: 1] - 1
            state.connectionsPerUser[peer.uid] = left > 0 ? left : nil
        }
    }

    // MARK: One connection

    /// Never throws: what goes wrong with one peer is its own.
    private func serve(_ descriptor: Int32, _ peer: PeerIdentity) async {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await SocketTransport.channel(adopting: descriptor, on: group)
        } catch {
            logger.warning("A connection could not be served", metadata: ["error": "\(error)"])
            return
        }
        let session = Session(peer: peer, rights: policy.rights(of: peer))
        do {
            try await channel.executeThenClose { inbound, _ in
                var limits = ConnectionLimits()
                limits.line = self.limits.lineBytes
                limits.nesting = self.limits.nesting
                limits.batch = self.limits.batch
                limits.inFlight = self.limits.inFlight
                limits.parked = self.limits.parked
                let connection = Connection(
                    transport: SocketTransport(inbound: inbound, channel: channel.channel), dispatcher: self.dispatcher,
                    session: session, limits: limits)
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await connection.run() }
                    group.addTask { await self.supervise(connection, channel.channel, peer) }
                    await group.next()
                    group.cancelAll()
                }
            }
        } catch {
            logger.debug("A connection ended", metadata: ["uid": "\(peer.uid)", "error": "\(error)"])
        }
    }

    /// Ends a connection whose peer does not finish a line or does not read, and every connection when the service stops.
    private func supervise<Channel: Transport>(
        _ connection: Connection<Session, Channel>, _ channel: any NIOCore.Channel, _ peer: PeerIdentity
    ) async {
        var isToldToStop = false
        while true {
            do {
                try await Task.sleep(for: .milliseconds(isToldToStop ? 20 : 200))
            } catch {
                // The connection has ended by itself, with everything answered.
                return
            }
            let stalls = connection.stalls
            if stalls.reading > .milliseconds(limits.partialLineMs) || stalls.writing > .milliseconds(limits.unreadOutputMs)
            {
                logger.notice(
                    "Dropped a connection that stalled",
                    metadata: [
                        "uid": "\(peer.uid)", "side": stalls.writing > stalls.reading ? "not reading" : "unfinished line",
                    ])
                break
            }
            guard let since = state.withLock({ $0.stoppingSince }) else { continue }
            if !isToldToStop {
                connection.stop()
                isToldToStop = true
            } else if connection.isIdle || since.duration(to: .now) > Self.shutdownGrace {
                break
            }
        }
        connection.cancelAll()
        channel.close(promise: nil)
    }
}
