internal import Exports
internal import ServiceLifecycle

/// Gives workbooks on their way through pipes a while to arrive when the service stops.
struct TransferEnd: Service {
    private static let grace: Duration = .seconds(5)

    let transfers: Transfers

    func run() async throws {
        try? await gracefulShutdown()
        let deadline = ContinuousClock.now + Self.grace
        while !transfers.isIdle, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(20)) }
        transfers.stop()
    }
}
