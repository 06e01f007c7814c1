import AsyncAlgorithms
import Client
import Foundation
import ServiceLifecycle

/// What becomes of exports, as an event stream (WHATWG HTML, 9.2, server-sent events).
struct ExportEvents: Sendable {
    /// Exports that one stream follows.
    static let mostJobs = 20
    /// Between two signs of life: proxies close what is silent for a minute.
    private static let pulse: Duration = .seconds(15)
    /// How often a watch that broke is taken up again, a second apart.
    private static let patience = 120

    let connections: ServiceConnections

    enum Event: Sendable {
        case job(Job)
        /// There is no such export, or it is somebody else's.
        case gone(String)
        /// The service cannot be asked now; it is asked again.
        case trouble(String, ClientError)
        case pulse
    }

    /// Tells what the exports are and what they become, until all are final, the program is to stop, or the task is cancelled.
    ///
    /// - Returns: whether nothing more is to come.
    func follow(_ jobs: [String], of actor: Actor, _ tell: (Event) async throws -> Void) async throws -> Bool {
        // Nobody goes ahead of the reader: what it has not taken is not made.
        let events = AsyncChannel<Event>()
        return try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                await withDiscardingTaskGroup { watches in
                    for job in jobs { watches.addTask { await watch(job, of: actor, into: events) } }
                }
                events.finish()
                return true
            }
            group.addTask {
                // A program that is told to stop does not wait for exports.
                do { try await gracefulShutdown() } catch { return false }
                events.finish()
                return false
            }
            group.addTask {
                while true {
                    do { try await Task.sleep(for: Self.pulse) } catch { return false }
                    await events.send(.pulse)
                }
            }
            for await event in events { try await tell(event) }
            // Whichever has finished the events.
            let isOver = try await group.next() ?? false
            group.cancelAll()
            return isOver
        }
    }

    private func watch(_ id: String, of actor: Actor, into events: AsyncChannel<Event>) async {
        var patience = Self.patience
        while patience > 0, !Task.isCancelled {
            do {
                let isFinal = try await connections.watching(actor, job: id) { job, changes in
                    await events.send(.job(job))
                    if job.state.isFinal { return true }
                    for try await job in changes {
                        await events.send(.job(job))
                        if job.state.isFinal { return true }
                    }
                    return false
                }
                if isFinal { return }
            } catch let error as ClientError {
                if [ErrorKind.notFound, .permissionDenied, .invalidParams].contains(where: { $0.rawValue == error.kind }) {
                    return await events.send(.gone(id))
                }
                await events.send(.trouble(id, error))
            } catch {
                return
            }
            patience -= 1
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
        }
    }
}
