internal import CLibPQ
private import Dispatch
private import Synchronization

/// Asks the server to cancel what a connection is doing, from any thread.
///
/// `PQcancel` opens a connection of its own and blocks, so it runs on a global queue. A request that comes late must not
/// hit the next statement: it carries the ticket of the statement it is meant for.
final class Canceller: @unchecked Sendable {
    // Unchecked: libpq documents PGcancel as usable from other threads; the pointer never changes, and is freed once
    // nobody holds this object.
    private let handle: OpaquePointer?
    private let state = Mutex(State())

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
    func disarm() {
        state.withLock { $0.isArmed = false }
    }

    /// Cancels the statement of the ticket, unless it has ended.
    func cancel(_ ticket: UInt64) {
        guard let handle = UInt(bitPattern: handle) as UInt?, handle != 0 else { return }
        DispatchQueue.global().async { [self] in
            // The lock is held over the request, so that the statement cannot end and another begin meanwhile.
            state.withLock { state in
                guard state.isArmed, state.ticket == ticket else { return }
                request()
            }
        }
    }

    /// Cancels whatever runs; called on the connection's own thread.
    func cancel() {
        request()
    }

    private func request() {
        var message = [CChar](repeating: 0, count: 256)
        _ = PQcancel(handle, &message, 256)
    }
}
