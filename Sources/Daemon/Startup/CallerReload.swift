internal import Logging
internal import ServiceLifecycle
private import UnixSignals

/// Reads the rules about callers again at SIGHUP.
///
/// The whole configuration is checked first; where anything in it is wrong the old rules stay. What else has changed in it
/// takes a restart.
struct CallerReload: Service {
    let server: SocketServer
    let load: @Sendable () throws -> ServiceConfiguration
    let logger: Logger

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            do {
                server.apply(try CallerPolicy(load().callers))
            } catch {
                logger.error(
                    "The configuration was not taken; the rules about callers stay as they are",
                    metadata: ["error": "\(error)"])
            }
        }
    }
}
