internal import Exports
internal import ServiceLifecycle
private import UnixSignals

/// Has a worker hand its jobs back at once when it is told to stop a second time. Stands before the worker among the services,
/// and so ends after it.
struct HurrySignal: Service {
    let drain: Drain

    func run() async throws {
        var isTold = false
        for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint).cancelOnGracefulShutdown() {
            if isTold { drain.hurry() }
            isTold = true
        }
    }
}
