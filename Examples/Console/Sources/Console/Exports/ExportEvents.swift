internal import AdminExportAPI
import AdminExportClient
import AsyncAlgorithms
import Foundation
import ServiceLifecycle

/// The states of exports as an event stream (WHATWG HTML, 9.2, server-sent events).
struct ExportEvents: Sendable {
    /// The maximum number of exports in a stream.
    static let maxJobs = 20
    /// The interval between keep-alive comments. Proxies close connections that are silent for a minute.
    private static let keepAliveInterval: Duration = .seconds(15)
    /// The number of consecutive attempts to watch an export again, one second apart. Then the stream ends, and the browser reconnects.
    private static let maxAttempts = 30

    let connections: ServiceConnections

    enum Event: Sendable {
        case job(Job)
        /// The export does not exist, or it belongs to another administrator.
        case gone(String)
        /// The service is unavailable; the watch is tried again.
        case trouble(String, ClientError)
        case keepAlive
    }

    /// The reason why a stream ends.
    enum End: Sendable {
        /// All exports are in a final state.
        case over
        /// The receiver wants no further events.
        case unwanted
        /// The program stops, or the service is unavailable.
        case interrupted
    }

    /// Sends the current state of the exports and every change.
    ///
    /// - Parameter tell: sends an event; returns whether the receiver wants more events.
    /// - Throws: the errors of `tell`; `CancellationError`.
    func follow(_ jobs: [String], of actor: ActorName, _ tell: (Event) async throws -> Bool) async throws -> End {
        // The channel has no buffer: an event is made when the receiver has taken the one before.
        let events = AsyncChannel<Event>()
        return try await withThrowingTaskGroup(of: End.self) { group in
            group.addTask {
                let isOver = await withTaskGroup(of: Bool.self) { watches in
                    for job in jobs { watches.addTask { await watch(job, of: actor, into: events) } }
                    for await isOver in watches where !isOver {
                        // The browser reconnects for all exports.
                        watches.cancelAll()
                        return false
                    }
                    return true
                }
                events.finish()
                return isOver ? .over : .interrupted
            }
            group.addTask {
                // When the program stops, it does not wait for exports.
                do { try await gracefulShutdown() } catch { return .interrupted }
                events.finish()
                return .interrupted
            }
            group.addTask {
                while true {
                    do { try await Task.sleep(for: Self.keepAliveInterval) } catch { return .interrupted }
                    await events.send(.keepAlive)
                }
            }
            defer { group.cancelAll() }
            for await event in events where try await !tell(event) { return .unwanted }
            // The task that has finished the events.
            return try await group.next() ?? .interrupted
        }
    }

    /// - Returns: whether the export is in a final state or gone.
    private func watch(_ id: String, of actor: ActorName, into events: AsyncChannel<Event>) async -> Bool {
        var attemptsLeft = Self.maxAttempts
        while attemptsLeft > 0, !Task.isCancelled {
            do {
                let isFinal = try await connections.watching(actor, job: id) { job, changes in
                    attemptsLeft = Self.maxAttempts
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
                // With this reason, the console itself lacks a grant, which an operator must add.
                if isGone, error.reason != "caller-not-allowed" {
                    await events.send(.gone(id))
                    return true
                }
                await events.send(.trouble(id, error))
            } catch {
                return false
            }
            attemptsLeft -= 1
            do { try await Task.sleep(for: .seconds(1)) } catch { return false }
        }
        return false
    }
}
