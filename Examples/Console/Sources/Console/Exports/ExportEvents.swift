internal import AdminExportAPI
import AdminExportClient
import AsyncAlgorithms
import Foundation
import ServiceLifecycle

/// What becomes of exports, as an event stream (WHATWG HTML, 9.2, server-sent events).
struct ExportEvents: Sendable {
    /// Exports that one stream follows.
    static let maxJobs = 20
    /// Between two signs of life: proxies close what is silent for a minute.
    private static let pulse: Duration = .seconds(15)
    /// How often in a row a watch that broke is taken up again, a second apart. Then the browser is to come again.
    private static let patience = 30

    let connections: ServiceConnections

    enum Event: Sendable {
        case job(Job)
        /// There is no such export, or it is somebody else's.
        case gone(String)
        /// The service cannot be asked now; it is asked again.
        case trouble(String, ClientError)
        case pulse
    }

    /// Why a stream ends.
    enum End: Sendable {
        /// All is final.
        case over
        /// Whoever is told wants no more.
        case unwanted
        /// The program is to stop, or the service is away.
        case interrupted
    }

    /// Tells what the exports are and what they become.
    ///
    /// - Parameter tell: gives whether more is wanted.
    /// - Throws: what `tell` throws; `CancellationError`.
    func follow(_ jobs: [String], of actor: Actor, _ tell: (Event) async throws -> Bool) async throws -> End {
        // Nobody goes ahead of the reader: what it has not taken is not made.
        let events = AsyncChannel<Event>()
        return try await withThrowingTaskGroup(of: End.self) { group in
            group.addTask {
                let isOver = await withTaskGroup(of: Bool.self) { watches in
                    for job in jobs { watches.addTask { await watch(job, of: actor, into: events) } }
                    for await isOver in watches where !isOver {
                        // The browser comes again for all of them.
                        watches.cancelAll()
                        return false
                    }
                    return true
                }
                events.finish()
                return isOver ? .over : .interrupted
            }
            group.addTask {
                // A program that is told to stop does not wait for exports.
                do { try await gracefulShutdown() } catch { return .interrupted }
                events.finish()
                return .interrupted
            }
            group.addTask {
                while true {
                    do { try await Task.sleep(for: Self.pulse) } catch { return .interrupted }
                    await events.send(.pulse)
                }
            }
            defer { group.cancelAll() }
            for await event in events where try await !tell(event) { return .unwanted }
            // Whichever has finished the events.
            return try await group.next() ?? .interrupted
        }
    }

    /// - Returns: whether nothing more is to come of it.
    private func watch(_ id: String, of actor: Actor, into events: AsyncChannel<Event>) async -> Bool {
        var patience = Self.patience
        while patience > 0, !Task.isCancelled {
            do {
                let isFinal = try await connections.watching(actor, job: id) { job, changes in
                    patience = Self.patience
                    await events.send(.job(job))
                    if job.state.isFinal { return true }
                    for try await job in changes {
                        await events.send(.job(job))
                        if job.state.isFinal { return true }
                    }
                    return false
                }
                if isFinal { return true }
            } catch let error as ClientError {
                let isGone = [ErrorKind.notFound, .permissionDenied, .invalidParams].contains { $0.rawValue == error.kind }
                // The latter is said of this program, and somebody has to mend it.
                if isGone, error.reason != "caller-not-allowed" {
                    await events.send(.gone(id))
                    return true
                }
                await events.send(.trouble(id, error))
            } catch {
                return false
            }
            patience -= 1
            do { try await Task.sleep(for: .seconds(1)) } catch { return false }
        }
        return false
    }
}
