/// The notification by which processes wake one another: there is something to do, look for it.
///
/// A hint and no more: it carries nothing, may get lost, and may come for nothing. Whoever sleeps looks again by itself within
/// five seconds. It is sent where something was added that nobody may be looking for; each commit with a notification takes a
/// lock of the whole instance, so never per step of a job.
package enum QueueSignal {
    package static let channel = "adminexport"

    /// Sends it when the transaction commits; an expression for a select or RETURNING list.
    static let sql = "pg_notify('\(channel)', '') IS NULL AS signalled"
}
