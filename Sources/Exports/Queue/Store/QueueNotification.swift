/// The notifications by which processes wake one another: there is something to do, or something has ended; look for it.
///
/// Hints and no more: they name no job, may get lost, and may come for nothing. Whoever sleeps looks again by itself, workers
/// within some five seconds, those who watch jobs within a quarter of one. They are sent where something was added that nobody may be
/// looking for, and where a job ends; each commit with a notification takes a lock of the whole instance, so never per step.
package enum QueueNotification {
    package static let channel = "adminexport"

    /// Sends it when the transaction commits; an expression for a select or RETURNING list.
    static let sql = "pg_notify('\(channel)', '') IS NULL AS signalled"

    /// What is said where a job is over.
    static let ended = "ended"
    static let endedSQL = "pg_notify('\(channel)', '\(ended)') IS NULL AS signalled"
}
