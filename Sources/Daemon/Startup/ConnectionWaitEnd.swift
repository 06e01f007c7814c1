internal import Postgres
internal import ServiceLifecycle

/// Ends the waits for connections that the server does not give, so that no service that stops waits for them in turn.
struct ConnectionWaitEnd: Service {
    let shares: [ConnectionShare]

    func run() async throws {
        try? await gracefulShutdown()
        for share in shares { share.stopWaiting() }
    }
}
