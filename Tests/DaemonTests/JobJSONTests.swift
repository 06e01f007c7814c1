import AdminExportAPI
import Foundation
import Testing

@testable import Daemon

/// The service writes jobs without an encoder. Both forms must be the same JSON.
@Suite struct JobJSONTests {
    private static let texts = [
        "", "plain", "é 👩‍💻 \u{2028}", "quote \" backslash \\ slash /", "\u{0}\u{1}\u{1F}\u{7F}\n\r\t\u{8}\u{C}",
        "quote with mark \"\u{301}",
    ]

    private func job(_ text: String, isFull: Bool) -> Job {
        Job(
            id: "01900000-0000-7000-8000-000000000000", tenant: text, requestedBy: text, includeDisabled: isFull,
            includeReferences: !isFull, includeAbout: isFull, state: isFull ? .succeeded : .queued, revision: .max,
            progress: Job.Progress(rowsDone: 0, rowsTotal: isFull ? 5 : nil), queuePosition: isFull ? nil : 1,
            cancelRequested: !isFull, createdAt: "2026-01-02T03:04:05.678Z", startedAt: isFull ? "s" : nil,
            attemptStartedAt: isFull ? "a" : nil, finishedAt: isFull ? "f" : nil, expiresAt: isFull ? "e" : nil,
            fileName: isFull ? text : nil,
            size: isFull ? 1 : nil, sha256: isFull ? "ab" : nil, rows: isFull ? 0 : nil, sheets: isFull ? 1 : nil,
            columns: isFull ? [text, ""] : nil, hasReceipt: isFull,
            warnings: isFull ? [.init(kind: text, count: 1), .init(kind: "b", count: 2)] : [],
            error: isFull ? nil : .init(kind: "k", message: text))
    }

    @Test("The service's JSON of a job equals the JSON of the encoder", arguments: Self.texts, [true, false])
    func sameJSON(_ text: String, _ isFull: Bool) throws {
        let reply = JobReply(job: job(text, isFull: isFull))
        let json = Data(reply.json)
        #expect(try JSONDecoder().decode(JobReply.self, from: json).job == reply.job)
        let ours = try #require(try JSONSerialization.jsonObject(with: json) as? NSDictionary)
        let theirs = try #require(try JSONSerialization.jsonObject(with: JSONEncoder().encode(reply)) as? NSDictionary)
        #expect(ours == theirs)
        let started = ExportStart.Result(job: reply.job, replayed: isFull)
        let decoded = try JSONDecoder().decode(ExportStart.Result.self, from: Data(started.json))
        #expect(decoded.job == reply.job && decoded.replayed == isFull)
        // Every member is present; a member without a value is null.
        #expect((ours["job"] as? NSDictionary)?.count == 25)
    }
}
