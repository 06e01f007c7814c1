private import Dispatch
private import Foundation
private import Synchronization

/// Handles ^C while an export runs. The first one requests the cancellation of the export, the second one ends this program.
final class Interrupt {
    private let source: any DispatchSourceSignal

    private final class Presses: Sendable {
        private let count = Atomic(0)

        func next() -> Int { count.add(1, ordering: .relaxed).newValue }
    }

    /// - Parameter first: called once, at the first ^C.
    init(_ first: @escaping @Sendable () -> Void) {
        signal(SIGINT, SIG_IGN)
        let presses = Presses()
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            if presses.next() == 1 {
                first()
            } else {
                Output.message("ended without waiting; the service was asked to cancel the export")
                exit(ExitStatus.interrupted.rawValue)
            }
        }
        source.resume()
    }

    deinit {
        source.cancel()
        signal(SIGINT, SIG_DFL)
    }
}
