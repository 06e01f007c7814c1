import AdminExportAPI
import Foundation
import Testing
import TestSupport

@Suite struct WireTests {
    @Test("The JSON of a job contains every member; a member without a value is null")
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
                "id", "tenant", "requestedBy", "includeDisabled", "includeReferences", "includeAbout", "state", "revision",
                "progress",
                "queuePosition", "cancelRequested", "createdAt", "startedAt", "attemptStartedAt", "finishedAt", "expiresAt",
                "fileName", "size",
                "sha256", "rows", "sheets", "columns", "hasReceipt", "warnings", "error",
            ])
        #expect(object["startedAt"] is NSNull)
        #expect((object["progress"] as? [String: Any])?["rowsTotal"] is NSNull)
        #expect(try JSONDecoder().decode(Job.self, from: JSONEncoder().encode(job)) == job)
        // A service of an earlier version does not send the member.
        var earlier = object
        earlier["includeAbout"] = nil
        earlier["hasReceipt"] = nil
        let decoded = try JSONDecoder().decode(Job.self, from: JSONSerialization.data(withJSONObject: earlier))
        #expect(decoded.includeAbout == nil && decoded.id == job.id)
    }

    @Test("The schema of each method's parameters lists exactly their members and accepts them")
    func parameters() throws {
        var checked: Set<[String]> = [[]]
        func check(_ params: some WireObject) throws {
            let value = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(params))
            let schema = type(of: params).schema
            #expect(schema.faults(value).isEmpty, "\(schema.faults(value))")
            checked.insert(schema.properties.map(\.name))
            guard case .object(let members) = value else { return }
            #expect(Set(members.keys) == Set(schema.properties.map(\.name)), "\(type(of: params))")
        }
        let actor = ActorName(tenant: "t", administrator: "a")
        let job = "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b"
        try check(actor)
        try check(
            ExportStart.Params(
                actor: actor, includeDisabled: true, includeReferences: true, includeAbout: true, idempotencyKey: "k"))
        try check(JobParams(actor: actor, job: job))
        try check(ExportList.Params(actor: actor, tenant: "t", states: [.queued], limit: 1, cursor: job))
        try check(ExportWait.Params(actor: actor, job: job, afterRevision: 1, timeoutMs: 1))
        try check(ExportRead.Params(actor: actor, job: job, offset: 0, length: 1))
        try check(ExportReceipt.Params(actor: actor, job: job))
        try check(ExportOpen.Params(actor: actor, job: job, offset: 1, encoding: .zstd))
        try check(ExportUnwatch.Params(subscription: "s1"))
        try check(
            AuditList.Params(
                tenant: "t", administrator: "a", job: job, events: ["denied"], from: "2026-01-01T00:00:00.000Z",
                before: "2026-01-01T00:00:00.000Z", limit: 1, cursor: "1-1"))
        try check(ServiceDrain.Params(worker: job, on: true))
        try check(ServiceHold.Params(job: job, on: true, reason: "r", until: "2026-12-01T00:00:00.000Z"))
        try check(ServiceHolds.Params(tenant: "t", limit: 1, cursor: job))
        try check(AuditCheckpoints.Params(after: 1, limit: 1))
        try check(AuditDigest.Params(from: "2026-12-01T00:00:00.000Z", before: "2026-12-01T00:00:00.000Z"))
        for method in MethodDescription.all {
            let isChecked = checked.contains(method.params.properties.map(\.name))
            #expect(isChecked, "add a check of the parameters of \(method.name), with every member set")
        }
    }

    @Test("Every array and every string in the OpenRPC document has a limit")
    func bounds() {
        var faults: [String] = []
        var count = 0
        func look(_ value: JSONValue, _ path: String) {
            guard case .object(let members) = value else {
                if case .array(let elements) = value {
                    for (index, element) in elements.enumerated() { look(element, "\(path).\(index)") }
                }
                return
            }
            if members["type"] == "array", members["maxItems"] == nil { faults.append(path) }
            if members["type"] == "string", members["maxLength"] == nil { faults.append(path) }
            if members["type"] == "array" || members["type"] == "string" { count += 1 }
            for (name, member) in members where name != "examples" { look(member, "\(path).\(name)") }
        }
        look(OpenRPC.document(version: "1"), "$")
        #expect(faults.isEmpty, "\(faults.sorted())")
        #expect(count > 80)
    }

    @Test(
        "RFC 3339 times of the years 0001 to 9999 are accepted, to the microsecond, and match the published pattern",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:00z", 0), ("1969-12-31T23:59:59.999999Z", -1),
            ("2026-11-25T09:30:00Z", 1_795_599_000_000_000), ("2026-11-25T09:30:00.5+05:30", 1_795_579_200_500_000),
            ("2026-11-25T09:30:00.1234567-00:30", 1_795_600_800_123_456), ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000), ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
            ("9999-12-31T23:59:59.999999999Z", 253_402_300_799_999_999), ("2000-02-29T12:00:00+23:59", 951_739_260_000_000),
            ("0001-01-01T00:00:00+23:59", -62_135_683_140_000_000), ("9999-12-31T23:59:59-23:59", 253_402_387_139_000_000),
        ])
    func time(_ text: String, _ microseconds: Int) throws {
        #expect(RFC3339.microseconds(text) == microseconds, "\(text)")
        // The published schema accepts what the parser accepts.
        let pattern = try Regex(RFC3339.pattern)
        #expect(try pattern.wholeMatch(in: text) != nil && RFC3339.length.contains(text.utf8.count), "\(text)")
    }

    @Test(
        "A text that is not an RFC 3339 time is refused",
        arguments: [
            "", "x", "300000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "+2026-01-01T00:00:00Z",
            "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-01-00T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z", "2026-01-01 00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00Z",
            "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00ZZ", "2026-1-01T00:00:00Z",
            "２０２６-01-01T00:00:00Z", "2026-01-01T00:00:00Z\0", "infinity", "now", "1767225600", "1e300",
            "9999999999999999999-01-01T00:00:00Z", "2026-01-01T00:00:00.999999999999999999999Z",
        ])
    func noTime(_ text: String) {
        #expect(RFC3339.microseconds(text) == nil, "\(text)")
    }

    @Test(
        "The examples of each method match its schemas",
        arguments: MethodDescription.all.filter { $0.name != RPCDiscover.name }.map(\.name))
    func examples(_ name: String) throws {
        let method = try #require(MethodDescription.all.first { $0.name == name })
        #expect(!method.examples.isEmpty)
        for example in method.examples {
            #expect(method.params.faults(example.params).isEmpty)
            #expect(method.result.faults(example.result).isEmpty)
        }
    }

    @Test("The OpenRPC document names each method once, and each of its references resolves")
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
