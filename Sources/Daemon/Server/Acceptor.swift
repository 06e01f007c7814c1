private import Exports
private import Foundation
private import Glibc
private import JSONRPC
internal import Logging
internal import Sockets
private import Synchronization

/// Takes connections on a thread of its own, has each admitted there, and hands on those that were.
final class Acceptor: Sendable {
    /// An admitted connection.
    struct Accepted: Sendable {
        /// The receiver closes it.
        let descriptor: Int32
        let peer: PeerCredentials
    }

    /// How long to wait when the system has no descriptor left, in milliseconds.
    private static let exhaustedWait: Int32 = 200

    /// As many as are admitted and not yet ended, at most.
    let connections: AsyncStream<Accepted>
    private let continuation: AsyncStream<Accepted>.Continuation
    private let logger: Logger
    private let metrics: ServerMetrics
    /// A pipe: the thread watches one end, and is woken by the other.
    private let wakeUp: (read: Int32, write: Int32)
    private let isStopping = Atomic(false)
    private let refusals: ThrottledLog

    init(metrics: ServerMetrics, logger: Logger) {
        (connections, continuation) = AsyncStream.makeStream(of: Accepted.self, bufferingPolicy: .unbounded)
        self.logger = logger
        self.metrics = metrics
        refusals = ThrottledLog(DaemonEvent.connectionRefused, logger)
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        wakeUp = (ends[0], ends[1])
    }

    deinit {
        close(wakeUp.read)
        close(wakeUp.write)
    }

    /// Runs until ``stop()``; the socket is closed, and its path removed if it is ours, when this ends.
    ///
    /// - Parameters:
    ///   - admit: counts the connection, or gives the line that it is let go with.
    ///   - exhausted: that line, where this process has no descriptor left for it.
    func start(
        _ socket: consuming ListeningSocket, exhausted: [UInt8], admit: @escaping @Sendable (PeerCredentials) -> [UInt8]?
    ) {
        let box = SocketBox(socket)
        let thread = Thread { self.loop(box.socket, exhausted, admit) }
        thread.name = "acceptor"
        thread.start()
    }

    /// Carries the noncopyable socket into the thread.
    private final class SocketBox: Sendable {
        let socket: ListeningSocket

        init(_ socket: consuming ListeningSocket) {
            self.socket = socket
        }
    }

    /// Takes no more connections.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        var byte: UInt8 = 1
        write(wakeUp.write, &byte, 1)
    }

    private func loop(
        _ socket: borrowing ListeningSocket, _ exhaustedLine: [UInt8], _ admit: (PeerCredentials) -> [UInt8]?
    ) {
        // Closed when no other descriptor is left, so that the next caller gets an error instead of waiting.
        var spare = Self.openSpare()
        var isExhausted = false
        while !isStopping.load(ordering: .acquiring) {
            var entries = [
                pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wakeUp.read, events: Int16(POLLIN), revents: 0),
            ]
            if isExhausted {
                // The listener stays readable; watching it now would turn this into a busy loop.
                poll(&entries[1], 1, Self.exhaustedWait)
            } else {
                poll(&entries, 2, -1)
            }
            guard !isStopping.load(ordering: .acquiring) else { break }
            switch accept(socket) {
            case .connection(let descriptor):
                isExhausted = false
                take(descriptor, admit)
            case .none:
                isExhausted = false
            case .exhausted:
                tellRefusal("no descriptor is left", nil)
                close(spare)
                if case .connection(let descriptor) = accept(socket) { Self.refuse(descriptor, exhaustedLine) }
                spare = Self.openSpare()
                // Where it could not be had again, one that ends has to make room.
                isExhausted = spare < 0
            }
        }
        close(spare)
        continuation.finish()
    }

    private func accept(_ socket: borrowing ListeningSocket) -> ListeningSocket.Accepted {
        do throws(SocketError) {
            return try socket.accept()
        } catch {
            logger.report(DaemonEvent.acceptFailed, [.error: error])
            return .exhausted
        }
    }

    private func take(_ descriptor: Int32, _ admit: (PeerCredentials) -> [UInt8]?) {
        guard let peer = try? PeerCredentials(of: descriptor) else {
            close(descriptor)
            return
        }
        if let line = admit(peer) {
            tellRefusal("over the limit", peer)
            Self.refuse(descriptor, line)
        } else {
            // Nobody takes connections any more: the process is about to end.
            if case .terminated = continuation.yield(Accepted(descriptor: descriptor, peer: peer)) {
                Self.refuse(descriptor, OneLineReply.error(.shuttingDown))
            }
        }
    }

    private func tellRefusal(_ reason: String, _ peer: PeerCredentials?) {
        metrics.refusedConnection()
        var fields: [LogKey: any Sendable] = [.reason: reason]
        fields[.uid] = peer?.uid
        refusals.report(fields)
    }

    /// Tells the peer why, as well as that can be done at once, and closes the descriptor.
    static func refuse(_ descriptor: Int32, _ line: [UInt8]) {
        _ = send(descriptor, line, line.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        close(descriptor)
    }

    private static func openSpare() -> Int32 {
        open("/dev/null", O_RDONLY | O_CLOEXEC)
    }
}
