private import Dispatch
private import Glibc
private import Synchronization

/// Asks the server, from any thread, to cancel what a connection does.
///
/// A cancel request opens a connection of its own and blocks, so it is sent on another thread. A request for one statement must not
/// reach the next one: it carries the ticket of its statement.
final class Canceller: Sendable {
    private let cancelRequest: PGCancelRequest
    private let state = Mutex(State())
    /// Requests that are under way.
    private let requests = DispatchGroup()

    private struct State {
        var ticket: UInt64 = 0
        var isArmed = false
    }

    init(_ cancelRequest: PGCancelRequest) {
        self.cancelRequest = cancelRequest
    }

    /// Begins a statement and returns the ticket to cancel it with.
    func arm() -> UInt64 {
        state.withLock { state in
            state.ticket += 1
            state.isArmed = true
            return state.ticket
        }
    }

    /// Ends the statement. Waits for requests that are under way, because they could cancel the next statement.
    ///
    /// - Returns: false if a request is still under way at the limit: the connection cannot be used any more.
    func disarm(within limit: Duration) -> Bool {
        state.withLock { $0.isArmed = false }
        return requests.wait(timeout: .now() + .milliseconds(Int(limit / .milliseconds(1)))) == .success
    }

    /// Cancels the statement of the ticket, unless it has ended.
    func cancel(_ ticket: UInt64) {
        state.withLock { state in
            if state.isArmed, state.ticket == ticket { cancel() }
        }
    }

    /// Cancels whatever runs, from the connection's own thread. Does not wait.
    func cancel() {
        requests.enter()
        DispatchQueue.global().async { [self] in
            cancelRequest.send()
            requests.leave()
        }
    }
}

/// Ends a wait for a socket from another thread.
final class Interrupt: Sendable {
    private let readEnd: Int32
    private let writeEnd: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        // SAFETY: pipe writes two numbers.
        guard unsafe pipe(&ends) == 0 else {
            throw PostgresError(.unreachable, "the process has no free file descriptor for a wait; raise LimitNOFILE=")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    func raise() {
        // SAFETY: one byte of a literal.
        _ = unsafe write(writeEnd, "!", 1)
    }

    /// Waits for the socket, for ``raise()`` or for the deadline; false at the deadline.
    func wait(with socket: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        PGHandle.poll(socket, or: readEnd, until: deadline)
    }
}
