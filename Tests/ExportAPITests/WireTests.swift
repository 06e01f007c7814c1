import ExportAPI
import Foundation
import Testing

@Suite struct WireTests {
    @Test("Every member of a job is on the wire, null where there is nothing")
    func job() throws {
        let job = Job(
            id: "i", tenant: "t", requestedBy: "e", includeDisabled: false, includeReferences: false, state: .queued,
            revision: 1,
            progress: .init(rowsDone: 0, rowsTotal: nil), queuePosition: 1, cancelRequested: false, createdAt: "c",
            startedAt: nil, finishedAt: nil, expiresAt: nil, fileName: nil, size: nil, sha256: nil, rows: nil, sheets: nil,
            warnings: [], error: nil)
        let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(job)) as? [String: Any] ?? [:]
        #expect(
            Set(object.keys) == [
                "id", "tenant", "requestedBy", "includeDisabled", "includeReferences", "state", "revision", "progress",
                "queuePosition", "cancelRequested", "createdAt", "startedAt", "finishedAt", "expiresAt", "fileName", "size",
                "sha256", "rows", "sheets", "warnings", "error",
            ])
        #expect(object["startedAt"] is NSNull)
        #expect((object["progress"] as? [String: Any])?["rowsTotal"] is NSNull)
        #expect(try JSONDecoder().decode(Job.self, from: JSONEncoder().encode(job)) == job)
    }

    @Test("The members that parameters declare are those that they have")
    func members() throws {
        func check<Params: ParamObject>(_ params: Params) throws {
            let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(params)) as? [String: Any] ?? [:]
            #expect(Set(object.keys) == Set(Params.members.keys), "\(Params.self)")
        }
        let actor = Actor(tenant: "t", administrator: "a")
        try check(actor)
        try check(ExportStart.Params(actor: actor, includeDisabled: true, includeReferences: true, idempotencyKey: "k"))
        try check(ExportGet.Params(actor: actor, job: "j"))
        try check(ExportList.Params(actor: actor, tenant: "t", states: [], limit: 1, cursor: "c"))
        try check(ExportWait.Params(actor: actor, job: "j", afterRevision: 1, timeoutMs: 1))
        try check(ExportCancel.Params(actor: actor, job: "j"))
        try check(ExportRead.Params(actor: actor, job: "j", offset: 0, length: 1))
        try check(ExportDelete.Params(actor: actor, job: "j"))
    }
}
