internal import ExportAPI
internal import JSONRPC
internal import Logging
private import Sockets
private import Synchronization

/// Counts what requests come to, and says in the log what went wrong and who asked.
final class RequestObserver: Sendable {
    let metrics: ServerMetrics
    let translation: ErrorTranslation
    let logger: Logger
    /// Whoever asks again and again for what they may not must not fill the journal; the figures count all.
    private let refusals = Mutex(LogThrottle())

    init(metrics: ServerMetrics, translation: ErrorTranslation, logger: Logger) {
        self.metrics = metrics
        self.translation = translation
        self.logger = logger
    }

    private func tellRefusal(of method: String, to uid: UInt32) {
        guard let missed = refusals.withLock({ $0.admit(at: .now) }) else { return }
        var metadata: Logger.Metadata = ["method": "\(method)", "uid": "\(uid)"]
        if missed > 0 { metadata["more of them since the last line"] = "\(missed)" }
        logger.info("A request was refused", metadata: metadata)
    }

    func observing(_ method: ServiceDispatcher.Method) -> ServiceDispatcher.Method {
        let isLong = method.traits.contains(.long)
        return ServiceDispatcher.Method(name: method.name, traits: method.traits) { [self] params, session, subscriptions in
            let start = ContinuousClock.now
            func end(_ outcome: String) {
                self.metrics.served(method.name, outcome, in: isLong ? nil : start.duration(to: .now))
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
                    tellRefusal(of: method.name, to: session.peer.uid)
                }
                throw translated
            }
        }
    }
}
