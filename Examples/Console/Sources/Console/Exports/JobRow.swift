internal import AdminExportAPI
import AdminExportClient

/// A row in the list of exports.
struct JobRow: Sendable {
    let view: JobView
    let requested: String
    /// The name of the export for the labels of its buttons, for screen readers.
    let label: String
    let scope: String

    init(_ job: Job, _ texts: Texts, zone: String) {
        view = JobView(job, texts, zone: zone)
        requested = texts.time(job.createdAt, in: zone) ?? ""
        label = texts("exports.of", ["time": requested])
        scope = texts(job.includeDisabled ? "exports.all" : "exports.enabled")
    }
}
