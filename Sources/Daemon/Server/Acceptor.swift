private import Foundation
private import Glibc
internal import Logging
internal import Sockets
private import Synchronization

/// Takes connections on a thread of its own and hands them on in order.
final class Acceptor: Sendable {
    /// How long to wait when the system has no descriptor left, in milliseconds.
    private static let exhaustedWait: Int32 = 200

    let connections: AsyncStream<Int32>
    private let continuation: AsyncStream<Int32>.Continuation
    private let logger: Logger
    /// A pipe: the thread watches one end, and is woken by the other.
    private let wakeUp: (read: Int32, write: Int32)
    private let isStopping = Atomic(false)

    init(logger: Logger) {
        (connections, continuation) = AsyncStream.makeStream(of: Int32.self, bufferingPolicy: .unbounded)
        self.logger = logger
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
    func start(_ socket: consuming ListeningSocket) {
        let box = SocketBox(socket)
        let thread = Thread { self.loop(box.socket) }
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

    private func loop(_ socket: borrowing ListeningSocket) {
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
            switch Result(catching: { () throws(SocketError) in try socket.accept() }) {
            case .success(.connection(let descriptor)):
                isExhausted = false
                continuation.yield(descriptor)
            case .success(.none):
                isExhausted = false
            case .success(.exhausted):
                if !isExhausted { logger.error("No descriptor is left for a connection; waiting for one") }
                isExhausted = true
            case .failure(let error):
                logger.error("Cannot accept a connection", metadata: ["error": "\(error)"])
                isExhausted = true
            }
        }
        continuation.finish()
    }
}
