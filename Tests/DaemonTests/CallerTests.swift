import AdminExportAPI
import AdminExportClient
@testable import Daemon
import Foundation
import Testing
import TestSupport

/// Callers that are different users of the system, each in its own process. Only root can start such processes.
@Suite(.timeLimit(.minutes(10)), .serialized, .enabled(if: getuid() == 0, "only root can run processes of other users"))
struct CallerTests {
    private static let rules = """
        callers:
        - {user: daemon, tenants: [acme], grants: [export]}
        - {group: "777", tenants: [globex], grants: [export]}
        - {user: "4343", tenants: [acme], grants: [operator]}
        - {user: "4444", tenants: "*", grants: [operator]}
        - {user: "4444", tenants: [globex], grants: [export]}
        """

    /// A user and their groups.
    private struct Who {
        let uid: Int
        var groups: [Int] = []
    }

    private static let acme = Who(uid: 1)
    private static let globex = Who(uid: 4_242, groups: [777])
    private static let acmeOperator = Who(uid: 4_343)
    private static let everywhere = Who(uid: 4_444)
    private static let stranger = Who(uid: 4_242)
    /// The user nobody, in a group that has a grant.
    private static let nobody = Who(uid: 65_534, groups: [777])

    private func call(
        _ service: ServiceProcess, as who: Who, _ method: String, _ params: String
    ) async throws -> Finished {
        let groups =
            who.groups.isEmpty ? ["--clear-groups"] : ["--groups", who.groups.map(String.init).joined(separator: ",")]
        return try await Programs.run(
            "/usr/bin/setpriv",
            ["--reuid", "\(who.uid)", "--regid", "\(who.uid)"] + groups
                + ["\(Programs.folder)/adminexport", "call", "--socket", service.socket, method, params])
    }

    private func params(_ tenant: String, job: String? = nil) -> String {
        #"{"actor":{"tenant":"\#(tenant)","administrator":"owner@\#(tenant).example"}"#
            + (job.map { #","job":"\#($0)"}"# } ?? "}")
    }

    private func job(_ finished: Finished) throws -> Job {
        try #require(finished.status == 0, "\(finished)")
        return try JSONDecoder().decode(JobReply.self, from: Data(finished.output.utf8)).job
    }

    private func serve(_ body: (ServiceProcess, _ rules: (String) throws -> Void) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let file = folder + "/c.yaml"
            try Self.rules.write(toFile: file, atomically: true, encoding: .utf8)
            try await ServiceProcess.with(environment: ["ADMINEXPORT_CONFIG": file]) { service in
                // The packaged socket admits one group. This one admits everybody, so that only the rules decide.
                try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: service.socket)
                try await body(service) { rules in
                    try rules.write(toFile: file, atomically: true, encoding: .utf8)
                    kill(service.process.processIdentifier, SIGHUP)
                }
            }
        }
    }

    @Test("A caller may do only what its grants allow: by user, by supplementary group, by tenant and by grant")
    func users() async throws {
        try await serve { service, _ in
            let ours = try job(try await call(service, as: Self.acme, "export.start", params("acme")))
            let theirs = try job(try await call(service, as: Self.globex, "export.start", params("globex")))
            for (who, method, params) in [
                (Self.acme, "export.start", params("globex")), (Self.globex, "export.start", params("acme")),
                (Self.stranger, "export.start", params("globex")), (Self.nobody, "export.start", params("globex")),
                (Self.acme, "export.get", params("globex", job: theirs.id)),
                (Self.globex, "export.cancel", params("acme", job: ours.id)),
                (Self.acmeOperator, "export.start", params("acme")),
                (Self.acmeOperator, "export.list", #"{"tenant":"globex"}"#),
                (Self.acmeOperator, "export.open", params("acme", job: ours.id)),
                (Self.everywhere, "export.read", params("acme", job: ours.id).dropLast() + #","offset":0,"length":1}"#),
                (Self.everywhere, "export.receipt", params("acme", job: ours.id)),
            ] {
                let denied = try await call(service, as: who, method, String(params))
                #expect(denied.status == 77, "\(who) \(method) \(denied)")
                #expect(denied.errors.contains("You are the user with uid \(who.uid)"), "\(denied.errors)")
                #expect(denied.errors.contains("requires the grant"))
            }
            // A job of another tenant is not found, neither by an actor nor by an operator.
            for (who, params) in [
                (Self.acme, params("acme", job: theirs.id)), (Self.globex, params("globex", job: ours.id)),
                (Self.acmeOperator, #"{"job":"\#(theirs.id)"}"#),
            ] {
                for method in ["export.get", "export.cancel", "export.delete", "export.wait", "export.watch"] {
                    let missing = try await call(service, as: who, method, params)
                    #expect(
                        missing.status == 1 && missing.errors.contains("export does not exist"),
                        "\(who) \(method) \(missing)")
                }
            }
            // Only a caller with the operator grant may omit the actor.
            let noActor = try await call(service, as: Self.acme, "export.list", "{}")
            #expect(noActor.status == 64 && noActor.errors.contains("operator grant"))
            // Operators see the jobs of their tenants.
            func list(_ who: Who, _ params: String = "{}") async throws -> Set<String> {
                let listed = try await call(service, as: who, "export.list", params)
                try #require(listed.status == 0, "\(listed)")
                let page = try JSONDecoder().decode(ExportList.Result.self, from: Data(listed.output.utf8))
                return Set(page.jobs.map(\.id))
            }
            #expect(try await list(Self.acmeOperator) == [ours.id])
            #expect(try await list(Self.everywhere) == [ours.id, theirs.id])
            #expect(try await list(Self.everywhere, #"{"tenant":"globex"}"#) == [theirs.id])
            #expect(
                try job(try await call(service, as: Self.acmeOperator, "export.get", #"{"job":"\#(ours.id)"}"#)).id
                    == ours.id)
            // The trail contains the user of the calling process.
            let peers = try await service.database.text(
                "SELECT string_agg(DISTINCT peer_uid::text, ',') FROM adminexport.audit_event WHERE event = 'requested'")
            #expect(peers == "1,4242")
        }
    }

    @Test("service.info returns the caller's identity and grants")
    func info() async throws {
        try await serve { service, _ in
            func caller(_ who: Who) async throws -> ServiceInfo.Caller {
                let info = try await call(service, as: who, "service.info", "{}")
                return try JSONDecoder().decode(ServiceInfo.Result.self, from: Data(info.output.utf8)).caller
            }
            let globex = try await caller(Self.globex)
            #expect(
                globex
                    == ServiceInfo.Caller(
                        uid: 4_242, gid: 4_242, groups: [777, 4_242], grants: [.init(grant: "export", tenants: ["globex"])]))
            let everywhere = try await caller(Self.everywhere)
            #expect(
                everywhere.grants == [
                    .init(grant: "export", tenants: ["globex"]), .init(grant: "operator", tenants: ["*"]),
                ])
            for who in [Self.stranger, Self.nobody] {
                let grants = try await caller(who).grants
                #expect(grants.isEmpty)
            }
        }
    }

    @Test("SIGHUP applies new rules; rules with a fault are refused, and the old rules stay in force")
    func reload() async throws {
        try await serve { service, apply in
            #expect(try await call(service, as: Self.stranger, "export.start", params("globex")).status == 77)
            // Root has no rights under either set of rules, so its connection stays open.
            let unchanged = try service.client()
            _ = try await unchanged.call(ServiceInfo.self, NoMembers())
            try apply("callers:\n- {user: \"4242\", tenants: [globex], grants: [export]}\n")
            try await eventually("the new rules are in force") {
                try await call(service, as: Self.stranger, "export.list", params("globex")).status == 0
            }
            #expect(try await call(service, as: Self.acme, "export.list", params("acme")).status == 77)
            _ = try await unchanged.call(ServiceInfo.self, NoMembers())
            for (fault, sign) in [
                ("callers:\n- {user: no-such-user, tenants: \"*\", grants: [export]}\n", "no-such-user"),
                ("callers:\n- {user: nobody, tenants: \"*\", grants: [export]}\n", "represents all users"),
                ("callers:\n- {user: daemon, tenants: [], grants: [export]}\n", "grants nothing"),
                ("callers: [\n", "not YAML"), ("wrokers: 1\n", "wrokers"),
            ] {
                try apply(fault)
                try await eventually("the fault is logged") {
                    service.count(of: DaemonEvent.configurationRefused) > 0 && service.log.contains(sign)
                }
                #expect(try await call(service, as: Self.stranger, "export.list", params("globex")).status == 0)
                #expect(try await call(service, as: Self.acme, "export.list", params("acme")).status == 77)
            }
            // The service closes a connection whose rights change.
            try apply("callers:\n- {user: root, tenants: \"*\", grants: [export]}\n")
            try await eventually("root has the grant") {
                await failure { _ = try await service.client().call(ExportList.self, .init(actor: ServiceProcess.owner)) }
                    == nil
            }
            let client = try service.client()
            _ = try await client.call(ServiceInfo.self, NoMembers())
            try apply("callers:\n- {user: root, tenants: [globex], grants: [export]}\n")
            try await eventually("the connection is closed") {
                await failure { _ = try await client.call(ServiceInfo.self, NoMembers()) }?.isRetryable == true
            }
        }
    }
}
