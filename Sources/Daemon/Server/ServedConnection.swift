internal import AdminExportAPI
private import Exports
internal import JSONRPC
internal import Logging
internal import NIOCore
internal import Sockets
private import Synchronization

/// One peer's connection, from its acceptance to its end, and the watch over it.
final class ServedConnection: Sendable {
    /// How long requests in flight may take after the connection was told to stop.
    private static let stopGrace: Duration = .seconds(8)
    private static let pollInterval: Duration = .milliseconds(200)
    /// How long a peer that is dropped has to take the error that says why.
    private static let errorDeliveryTimeout: Duration = .seconds(1)

    private let number: Int
    let peer: PeerCredentials
    let grants: CallerGrants
    private let limits: ServiceLimits
    /// Its user's.
    private let account: ByteAccount
    private let metrics: ServerMetrics
    private let logger: Logger
    private let stopping = Mutex<(reason: RPCError, since: ContinuousClock.Instant)?>(nil)

    init(
        number: Int, peer: PeerCredentials, grants: CallerGrants, limits: ServiceLimits, account: ByteAccount,
        metrics: ServerMetrics, logger: Logger
    ) {
        self.number = number
        self.peer = peer
        self.grants = grants
        self.limits = limits
        self.account = account
        self.metrics = metrics
        self.logger = logger
    }

    /// Has the connection end when what it serves has been answered; what only waits ends at once.
    func stop(_ reason: RPCError) {
        stopping.withLock { $0 = $0 ?? (reason, .now) }
    }

    /// Never throws: what goes wrong with one peer is its own.
    ///
    /// - Parameter descriptor: closed at the end.
    func serve(_ descriptor: Int32, on group: any EventLoopGroup, _ dispatcher: ServiceDispatcher) async {
        do {
            let socket: ConnectedSocket
            do throws(SocketError) {
                socket = try ConnectedSocket(duplicating: descriptor)
            } catch {
                // It came in with the last descriptor there was.
                Acceptor.refuse(descriptor, OneLineReply.error(.noDescriptorLeft))
                throw error
            }
            let channel = try await SocketTransport.channel(adopting: descriptor, on: group)
            try await channel.executeThenClose { inbound, _ in
                let connection = Connection(
                    transport: SocketTransport(inbound: inbound, channel: channel.channel, socket: socket),
                    dispatcher: dispatcher,
                    session: CallerSession(number: number, peer: peer, grants: grants, limits: limits),
                    limits: limits.connection,
                    account: ByteAccount(.connection, within: account) { [limits] in limits.bytesPerConnection })
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await connection.run() }
                    group.addTask {
                        if await self.supervise(connection, socket) {
                            connection.cancelAll()
                            channel.channel.close(promise: nil)
                            socket.shutdown()
                        }
                    }
                    await group.next()
                    group.cancelAll()
                }
            }
        } catch {
            logger.report(DaemonEvent.connectionEnded, [.uid: peer.uid, .error: error])
        }
    }

    /// Watches for a peer that does not finish a line, does not read, or is gone, and for the time to stop.
    ///
    /// - Returns: whether to end the connection; false where it has ended by itself, with everything answered.
    private func supervise<Channel: Transport>(
        _ connection: Connection<CallerSession, Channel>, _ socket: ConnectedSocket
    ) async -> Bool {
        var isToldToStop = false
        var unread = 0
        while true {
            do {
                try await Task.sleep(for: isToldToStop ? .milliseconds(20) : Self.pollInterval)
            } catch {
                return false
            }
            // A peer that reads slowly takes a piece of what the kernel holds now and then, long before a whole chunk.
            let nowUnread = socket.unread
            if nowUnread < unread { connection.peerHasRead() }
            unread = nowUnread
            if let stall = stall(connection) {
                metrics.stalledConnection()
                logger.report(DaemonEvent.connectionStalled, [.uid: peer.uid, .side: stall.rawValue])
                if stall == .unfinishedLine {
                    connection.refuseUnfinishedLine()
                    await waitUntilTaken(connection)
                }
                return true
            }
            if socket.isPeerGone { return true }
            guard let stopping = stopping.withLock({ $0 }) else { continue }
            if !isToldToStop {
                connection.stop(stopping.reason)
                isToldToStop = true
            } else if connection.isIdle || stopping.since.duration(to: .now) > Self.stopGrace {
                return true
            }
        }
    }

    /// Waits, for ``errorDeliveryTimeout`` at most, until the peer's side has taken all output.
    private func waitUntilTaken<Channel: Transport>(_ connection: Connection<CallerSession, Channel>) async {
        let end = ContinuousClock.now + Self.errorDeliveryTimeout
        while connection.waitingBytes > 0, ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(20)) } catch { return }
        }
    }

    private enum Stall: String {
        case notReading = "not reading"
        case unfinishedLine = "unfinished line"
    }

    private func stall<Channel: Transport>(_ connection: Connection<CallerSession, Channel>) -> Stall? {
        let stalls = connection.stalls
        if stalls.writing > limits.unreadOutput { return .notReading }
        if stalls.reading > limits.partialLine { return .unfinishedLine }
        return nil
    }
}

extension RPCError {
    static let noDescriptorLeft = RPCError(
        .overloaded, "The service has no descriptor left for another connection. Try again in a moment.", retryable: true)
}
