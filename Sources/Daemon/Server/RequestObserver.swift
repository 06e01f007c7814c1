internal import ExportAPI
internal import JSONRPC
internal import Logging
private import Sockets

/// Counts what requests come to, and says in the log what went wrong and who asked.
struct RequestObserver: Sendable {
    let metrics: ServerMetrics
    let translation: ErrorTranslation
    let logger: Logger

    func observing(_ method: ServiceDispatcher.Method) -> ServiceDispatcher.Method {
        let isLong = method.traits.contains(.long)
        return ServiceDispatcher.Method(name: method.name, traits: method.traits) { params, session, subscriptions in
            let start = ContinuousClock.now
            func end(_ outcome: String) {
                metrics.served(method.name, outcome, in: isLong ? nil : start.duration(to: .now))
            }
            do {
                let outcome = try await method.handle(params, session, subscriptions)
                end("ok")
                return outcome
            } catch is CancellationError {
                end(ErrorKind.requestCancelled.rawValue)
                throw CancellationError()
            } catch {
                let translated = error as? RPCError ?? translation(error, in: method.name, uid: session.peer.uid)
                end(translated.kind)
                if translated.kind == ErrorKind.permissionDenied.rawValue {
                    // In the audit trail too, with the names that are not written here.
                    logger.info(
                        "A request was refused", metadata: ["method": "\(method.name)", "uid": "\(session.peer.uid)"])
                }
                throw translated
            }
        }
    }
}
