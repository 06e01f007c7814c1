internal import AdminExportAPI
private import Exports
internal import JSONRPC
internal import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import Sockets
private import Synchronization

/// Serves callers: admits connections within the limits, looks each peer up, and has it served.
///
/// On a graceful shutdown it takes no more connections, answers what is in flight, and closes.
final class SocketServer: Service {
    private let acceptor: Acceptor
    private let group: any EventLoopGroup
    private let dispatcher: ServiceDispatcher
    private let settings: LiveSettings
    private let metrics: ServerMetrics
    private let logger: Logger
    /// What all callers hold.
    private let account: ByteAccount
    private let state: Mutex<State>

    private struct State {
        var policy: CallerPolicy
        var connections = 0
        var users: [UInt32: User] = [:]
        var served: [Int: ServedConnection] = [:]
        var nextID = 0
        var isStopping = false
    }

    /// Somebody with connections.
    private struct User {
        let account: ByteAccount
        var connections = 0
    }

    init(
        socket: consuming ListeningSocket, group: any EventLoopGroup, dispatcher: ServiceDispatcher, policy: CallerPolicy,
        settings: LiveSettings, metrics: ServerMetrics, logger: Logger
    ) {
        acceptor = Acceptor(metrics: metrics, logger: logger)
        self.group = group
        self.dispatcher = dispatcher
        self.settings = settings
        self.metrics = metrics
        self.logger = logger
        account = ByteAccount(.service) { settings.limits.bytes }
        state = Mutex(State(policy: policy))
        acceptor.start(socket, exhausted: OneLineReply.error(.noDescriptorLeft)) { [self] in admit($0) }
    }

    func run() async throws {
        // Also where another service has failed, and this one is cancelled.
        defer { acceptor.stop() }
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { tasks in
                for await accepted in acceptor.connections {
                    tasks.addTask { await self.serve(accepted) }
                }
            }
        } onGracefulShutdown: {
            self.stopAll()
        }
    }

    /// How many connections there have been that are no more.
    var endedConnections: Int { state.withLock { $0.nextID - $0.served.count } }

    /// The most bytes that callers held since this was last asked.
    func takeMostHeldBytes() -> Int { account.takePeak() }

    /// Puts new rules in force. Connections that they treat otherwise than before are ended when what is in flight has been
    /// answered; others go on.
    func apply(_ policy: CallerPolicy) {
        let changed = state.withLock { state in
            state.policy = policy
            return state.served.values.filter { policy.grants(of: $0.peer) != $0.grants }
        }
        let reason = RPCError(
            .shuttingDown, "The rules about callers have changed. Connect again.", retryable: true)
        for connection in changed { connection.stop(reason) }
        if !changed.isEmpty { logger.report(DaemonEvent.connectionsRevoked, [.connections: changed.count]) }
    }

    private func stopAll() {
        acceptor.stop()
        let served = state.withLock { state in
            state.isStopping = true
            return Array(state.served.values)
        }
        for connection in served { connection.stop(.shuttingDown) }
    }

    // MARK: Admission

    /// Counts the peer; or gives what one over a limit is told.
    private func admit(_ peer: PeerCredentials) -> [UInt8]? {
        let limits = settings.limits
        let fault: String? = state.withLock { state in
            let ofUser = state.users[peer.uid]?.connections ?? 0
            if state.connections >= limits.connections {
                return "The service has \(limits.connections) connections, and takes no more. Try again in a moment."
            }
            if ofUser >= limits.connectionsPerUser {
                return "This user has \(limits.connectionsPerUser) connections, and may have no more. Close some."
            }
            state.connections += 1
            state.users[peer.uid, default: newUser()].connections += 1
            return nil
        }
        return fault.map { OneLineReply.error(RPCError(.overloaded, $0, retryable: true)) }
    }

    private func newUser() -> User {
        User(account: ByteAccount(.user, within: account) { [settings] in settings.limits.bytesPerUser })
    }

    private func serve(_ accepted: Acceptor.Accepted) async {
        let peer = accepted.peer
        let limits = settings.limits
        let (id, connection, isStopping) = state.withLock { state in
            state.nextID += 1
            let connection = ServedConnection(
                number: state.nextID, peer: peer, grants: state.policy.grants(of: peer), limits: limits,
                account: state.users[peer.uid, default: newUser()].account, metrics: metrics, logger: logger)
            state.served[state.nextID] = connection
            return (state.nextID, connection, state.isStopping)
        }
        if isStopping { connection.stop(.shuttingDown) }
        metrics.connected()
        await connection.serve(accepted.descriptor, on: group, dispatcher)
        metrics.disconnected()
        state.withLock { state in
            state.served[id] = nil
            state.connections -= 1
            state.users[peer.uid]?.connections -= 1
            if state.users[peer.uid]?.connections == 0 { state.users[peer.uid] = nil }
        }
    }
}
