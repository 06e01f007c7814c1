private import AdminExportAPI
private import Glibc
internal import JSONRPC
internal import Sockets

/// The socket that the service manager has opened for this process, if any.
final class SocketActivation: Sendable {
    /// The `FileDescriptorName=` in the unit of the socket.
    static let name = "rpc"
    /// How long a process that cannot serve answers callers with an error before it ends. The manager starts a new process for
    /// the next caller. This time limits how often it does so.
    private static let answeringTime: Duration = .seconds(2)
    private static let maxAnswered = 256
    /// How long a process waits before it ends, in seconds, if the sockets themselves are wrong, so that callers cannot get an
    /// error.
    private static let pause: UInt32 = 2

    private let inherited: Int32?
    /// A duplicate of ``inherited`` for ``turnAway()``, because the original may be closed by then; -1 if there is none.
    private let spare: Int32

    /// - Throws: ``ConfigurationFault``
    init() throws {
        let sockets: [Int32]
        do throws(SocketError) {
            sockets = try InheritedSockets.take(Self.name)
        } catch {
            sleep(Self.pause)
            throw ConfigurationFault("the socket of the service manager: \(error)")
        }
        guard sockets.count <= 1 else {
            sleep(Self.pause)
            throw ConfigurationFault("the service manager passed \(sockets.count) sockets: configure only one")
        }
        inherited = sockets.first
        spare = sockets.first.map { fcntl($0, F_DUPFD_CLOEXEC, 3) } ?? -1
    }

    deinit {
        if spare >= 0 { close(spare) }
    }

    /// Returns the inherited socket, or binds one to the path.
    ///
    /// - Throws: ``ConfigurationFault``
    func listen(path: String) throws -> ListeningSocket {
        do throws(SocketError) {
            if let inherited { return try ListeningSocket(inherited: inherited) }
            return try ListeningSocket(path: path)
        } catch {
            throw ConfigurationFault("the socket \(path): \(error)")
        }
    }

    /// Answers the callers that wait at the manager's socket with an error. If they kept waiting, the manager would start this
    /// process again and again.
    func turnAway() {
        guard spare >= 0, wait(spare, .zero) else { return }
        _ = fcntl(spare, F_SETFL, fcntl(spare, F_GETFL) | O_NONBLOCK)
        let line = OneLineReply.error(
            RPCError(
                .unavailable, "The service is not set up. Ask the operators to read its journal.",
                retryable: true))
        // If the connection closed at once, a caller that still writes its request would get a broken pipe instead.
        var answered: [Int32] = []
        defer { answered.forEach { close($0) } }
        let end = ContinuousClock.now + Self.answeringTime
        while ContinuousClock.now < end, wait(spare, ContinuousClock.now.duration(to: end)) {
            let caller = accept(spare, nil, nil)
            // Another process may have accepted it. Without a descriptor, nobody can be answered.
            guard caller >= 0 else {
                if errno == EAGAIN || errno == EINTR { continue }
                return
            }
            // SAFETY: the system reads the line during the call.
            _ = unsafe send(caller, line, line.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            shutdown(caller, Int32(SHUT_WR))
            answered.append(caller)
            if answered.count > Self.maxAnswered { close(answered.removeFirst()) }
        }
    }

    private func wait(_ raw: Int32, _ time: Duration) -> Bool {
        var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        // SAFETY: the system reads and writes one entry.
        return unsafe poll(&entry, 1, Int32(max(0, time / .milliseconds(1)))) > 0
    }
}
