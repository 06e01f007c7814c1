internal import AdminExportAPI
import AdminExportClient
import Foundation

/// The texts and values of an export, for the pages and the event stream.
struct JobView: Codable, Sendable {
    let id: String
    let state: String
    /// A number that grows with each change.
    let revision: Int
    /// The name of the state.
    let title: String
    /// The heading of the dialog.
    let heading: String
    let text: String
    /// 0 to 100; nil if the progress is unknown.
    let percent: Int?
    let percentText: String
    let isFinal: Bool
    let hasFile: Bool
    let hasReceipt: Bool
    let canCancel: Bool
    let rows: String
    let size: String
    /// The time at which the file expires, in the tenant's time zone.
    let expires: String
    /// A text for screen readers, which the page announces once; empty for none.
    let announcement: String

    init(_ job: Job, _ texts: Texts, zone: String) {
        id = job.id
        state = job.state.rawValue
        revision = job.revision
        isFinal = job.state.isFinal
        hasFile = job.state == .succeeded
        hasReceipt = job.hasReceipt == true
        canCancel = !job.state.isFinal && !job.cancelRequested
        percent = job.percent
        percentText = job.percent.map { texts.percent($0) } ?? ""
        title = texts("state.\(job.cancelRequested && !job.state.isFinal ? "cancelling" : job.state.rawValue)")
        heading = texts("progress.\(Self.heading(job.state))")
        text = Self.text(job, texts)
        rows = job.rows.map { texts.number($0) } ?? "–"
        size = job.size.map { texts.size($0) } ?? "–"
        expires = job.state == .succeeded ? texts.time(job.expiresAt, in: zone) ?? "–" : "–"
        announcement = Self.announcement(job, texts)
    }

    private static func announcement(_ job: Job, _ texts: Texts) -> String {
        switch job.state {
        case .queued: return ""
        case .running:
            // Announce each quarter only, because frequent announcements disturb the user.
            guard let percent = job.percent, percent >= 25 else { return "" }
            return texts("announcement.running", ["percent": texts.percent(percent / 25 * 25)])
        case .succeeded, .failed: return "\(texts("state.\(job.state.rawValue)")). \(text(job, texts))"
        case .cancelled, .expired: return text(job, texts)
        }
    }

    private static func heading(_ state: Job.State) -> String {
        switch state {
        case .queued, .running: "title"
        case .succeeded: "titleDone"
        case .failed: "titleFailed"
        case .cancelled, .expired: "titleEnded"
        }
    }

    private static func text(_ job: Job, _ texts: Texts) -> String {
        switch job.state {
        case .queued:
            guard let position = job.queuePosition, position > 1 else { return texts("progress.next") }
            return texts("progress.queued", ["before": texts.number(position - 1)])
        case .running:
            let done = texts.number(job.progress.rowsDone)
            guard let total = job.progress.rowsTotal else { return texts("progress.counting") }
            return texts("progress.rows", ["done": done, "total": texts.number(total)])
        case .succeeded:
            return texts("progress.done", ["rows": texts.number(job.rows ?? 0), "file": job.fileName ?? ""])
        case .failed:
            let kind = job.error?.kind ?? ""
            return texts.first(of: ["failure.\(kind)", "failure.internal-error"])
        case .cancelled: return texts("progress.cancelled")
        case .expired: return texts("progress.expired")
        }
    }
}

extension Job {
    /// The progress, in percent.
    fileprivate var percent: Int? {
        switch state {
        case .succeeded: return 100
        case .running:
            guard let total = progress.rowsTotal else { return nil }
            return total == 0 ? 0 : min(100, progress.rowsDone * 100 / total)
        default: return nil
        }
    }
}
