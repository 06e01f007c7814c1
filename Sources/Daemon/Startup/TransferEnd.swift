internal import Exports
internal import ServiceLifecycle

/// Gives workbooks on their way through pipes a while to arrive when the service stops.
struct TransferEnd: Service {
    private static let grace: Duration = .seconds(5)
    /// How long those that are told to end may take to say what they have delivered.
    private static let ending: Duration = .seconds(1)

    let transfers: Transfers

    func run() async throws {
        try? await gracefulShutdown()
        await waitUntilIdle(atMost: Self.grace)
        transfers.stop()
        await waitUntilIdle(atMost: Self.ending)
    }

    private func waitUntilIdle(atMost time: Duration) async {
        let deadline = ContinuousClock.now + time
        while !transfers.isIdle, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(20)) }
    }
}
