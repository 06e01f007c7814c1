internal import CLibPQ
private import Dispatch
private import Synchronization

/// Asks the server to cancel what a connection is doing, from any thread.
///
/// `PQcancel` opens a connection of its own and blocks, so it runs on a thread of its own. A request that comes late must
/// not hit the next statement: it carries the ticket of the statement it is meant for.
final class Canceller: @unchecked Sendable {
    // Unchecked: libpq documents PGcancel as usable from other threads; the pointer never changes, and is freed once
    // nobody holds this object.
    private let handle: OpaquePointer?
    private let state = Mutex(State())
    /// Requests that are under way.
    private let requests = DispatchGroup()

    private struct State {
        var ticket: UInt64 = 0
        var isArmed = false
    }

    init(_ handle: OpaquePointer?) {
        self.handle = handle
    }

    deinit {
        PQfreeCancel(handle)
    }

    /// A statement begins; gives the ticket to cancel it with.
    func arm() -> UInt64 {
        state.withLock { state in
            state.ticket += 1
            state.isArmed = true
            return state.ticket
        }
    }

    /// The statement has ended.
    ///
    /// A request that is still under way could hit the next statement, so it is waited for. `PQcancel` itself has no time
    /// limit.
    ///
    /// - Returns: false where it did not come back in time: the connection cannot be used any more.
    func disarm(within limit: Duration) -> Bool {
        state.withLock { $0.isArmed = false }
        return requests.wait(timeout: .now() + .milliseconds(Int(limit / .milliseconds(1)))) == .success
    }

    /// Cancels the statement of the ticket, unless it has ended.
    func cancel(_ ticket: UInt64) {
        state.withLock { state in
            guard state.isArmed, state.ticket == ticket else { return }
            request()
        }
    }

    /// Cancels whatever runs, from the connection's own thread; does not wait.
    func cancel() {
        request()
    }

    private func request() {
        guard handle != nil else { return }
        requests.enter()
        DispatchQueue.global().async { [self] in
            var message = [CChar](repeating: 0, count: 256)
            _ = PQcancel(handle, &message, 256)
            requests.leave()
        }
    }
}
