import ExportAPI
import Foundation
import TestSupport
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

    @Test("The schema of parameters names the members that they have, and takes them")
    func parameters() throws {
        func check(_ params: some WireObject) throws {
            let value = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(params))
            let schema = type(of: params).schema
            #expect(schema.faults(value).isEmpty, "\(schema.faults(value))")
            guard case .object(let members) = value else { return }
            #expect(Set(members.keys) == Set(schema.properties.map(\.name)), "\(type(of: params))")
        }
        let actor = Actor(tenant: "t", administrator: "a")
        let job = "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b"
        try check(actor)
        try check(ExportStart.Params(actor: actor, includeDisabled: true, includeReferences: true, idempotencyKey: "k"))
        try check(JobParams(actor: actor, job: job))
        try check(ExportList.Params(actor: actor, tenant: "t", states: [.queued], limit: 1, cursor: job))
        try check(ExportWait.Params(actor: actor, job: job, afterRevision: 1, timeoutMs: 1))
        try check(ExportRead.Params(actor: actor, job: job, offset: 0, length: 1))
        try check(ExportOpen.Params(actor: actor, job: job, offset: 1, encoding: .zstd))
        try check(ExportUnwatch.Params(subscription: "s1"))
    }

    @Test("Examples fit the schemas", arguments: MethodDescription.all.filter { $0.name != RPCDiscover.name }.map(\.name))
    func examples(_ name: String) throws {
        let method = try #require(MethodDescription.all.first { $0.name == name })
        #expect(!method.examples.isEmpty)
        for example in method.examples {
            #expect(method.params.faults(example.params).isEmpty)
            #expect(method.result.faults(example.result).isEmpty)
        }
    }

    @Test("The document names each method once, and each of its references leads somewhere")
    func document() throws {
        let document = OpenRPC.document(version: "1")
        guard case .array(let methods)? = document["methods"] else {
            Issue.record("no methods")
            return
        }
        #expect(Set(methods.map { $0["name"] }).count == MethodDescription.all.count)
        var count = 0
        func follow(_ value: JSONValue) {
            switch value {
            case .array(let elements): elements.forEach(follow)
            case .object(let members):
                if case .string(let reference)? = members["$ref"] {
                    count += 1
                    let target = reference.split(separator: "/").dropFirst()
                        .reduce(Optional(document)) { $0?[String($1)] }
                    #expect(target != nil, "\(reference)")
                }
                members.values.forEach(follow)
            default: break
            }
        }
        follow(document)
        #expect(count > 100)
        for method in methods {
            // OpenRPC: "any required parameters must be listed before any optional ones".
            guard case .array(let params)? = method["params"] else { continue }
            let required = params.map { $0["required"] == true }
            #expect(required == required.sorted { $0 && !$1 })
        }
    }
}
