internal import Postgres

/// The states of a job. The ways between them are ``JobMachine``'s.
package enum JobState: String, Sendable, CaseIterable {
    case queued
    case running
    case succeeded
    case failed
    case cancelled
    case expired

    /// Nothing but time and deletion changes it any more.
    package var isFinal: Bool {
        switch self {
        case .queued, .running: false
        case .succeeded, .failed, .cancelled, .expired: true
        }
    }
}

extension JobState {
    /// The column `state`.
    init(_ row: Row) throws {
        guard let state = JobState(rawValue: try row.decode("state")) else {
            throw PostgresError(.unexpectedResult, "a job is in a state of another version")
        }
        self = state
    }
}
