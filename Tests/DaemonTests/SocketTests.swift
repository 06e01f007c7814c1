import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

@Suite(.timeLimit(.minutes(10))) struct SocketTests {
    /// Sends lines unchanged, closes the sending side, and returns the replies.
    private func exchange(_ service: ServiceProcess, _ text: String) async throws -> String {
        let script = """
            import socket, sys
            s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(20)
            s.sendall(sys.stdin.buffer.read() if len(sys.argv) < 3 else sys.argv[2].encode()); s.shutdown(socket.SHUT_WR)
            while True:
                data = s.recv(65536)
                if not data: break
                sys.stdout.buffer.write(data)
            """
        return try await Programs.run(TestDatabase.environment("TEST_PYTHON"), ["-c", script, service.socket, text]).output
    }

    @Test("After a half-close, the service answers all requests in flight completely, even with large replies")
    func halfClose() async throws {
        try await ServiceProcess.with(
            sql: SmallTenant.sql
                + "; UPDATE directory.administrator SET name = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i), phone = (SELECT string_agg(md5((i * 7)::text), '') FROM generate_series(1, 1000) i) WHERE tenant_id = 1"
        ) { service in
            let job = try await service.export()
            let actor = #"{"tenant":"acme","administrator":"owner@acme.example"}"#
            let line =
                #"{"jsonrpc":"2.0","id":ID,"method":"export.read","params":{"actor":ACTOR,"job":"JOB","offset":0,"length":524288}}"#
                .replacingOccurrences(of: "ACTOR", with: actor).replacingOccurrences(of: "JOB", with: job.id)
            let lines = (1...6).map { line.replacingOccurrences(of: "ID", with: "\($0)") + "\n" }.joined()
            let replies = try await exchange(service, lines).split(separator: "\n")
            #expect(replies.count == 6)
            for reply in replies { #expect(reply.hasSuffix("}") && reply.contains("\"result\"")) }
        }
    }

    @Test(
        "The reply to an invalid request names its fault, and the service continues to answer",
        arguments: [
            ("nonsense\n", "-32700"), ("\u{FEFF}{}\n", "-32700"),
            (#"{"jsonrpc":"2.0","id":1,"method":"rpc.none"}"# + "\n", "-32601"),
            (
                #"{"jsonrpc":"2.0","id":1,"method":"export.get","params":{"actor":{"tenant":"a","administrator":"b","x":1},"job":"j"}}"#
                    + "\n", "actor.x"
            ),
            (#"{"jsonrpc":"2.0","id":1,"method":"export.get","params":{"job":"j"}}"# + "\n", "a UUID that the service gave"),
            (
                #"{"jsonrpc":"2.0","id":1,"method":"export.get","params":{"actor":{"tenant":"a\u0000","administrator":"b"},"job":"j"}}"#
                    + "\n", "without NUL"
            ),
            (
                #"{"jsonrpc":"2.0","id":1,"method":"export.start","params":{"actor":{"tenant":"acme","administrator":5}}}"#
                    + "\n", "actor.administrator"
            ),
            (#"{"jsonrpc":"2.0","id":1,"method":"export.start","params":{}}"# + "\n", "actor is missing"),
            (#"{"jsonrpc":"2.0","id":1,"method":"export.list","params":{"limit":101}}"# + "\n", "from 1 to 100"),
            (
                #"{"jsonrpc":"2.0","id":1,"method":"export.wait","params":{"job":"018f0000-0000-7000-8000-000000000000","timeoutMs":0}}"#
                    + "\n", "timeoutMs"
            ),
            (#"{"jsonrpc":"2.0","id":1,"method":"service\u002einfo"}"# + "\n", "\"result\""),
        ])
    func nonsense(_ text: String, _ expected: String) async throws {
        try await ServiceProcess.with { service in
            let reply = try await exchange(service, text)
            #expect(reply.contains(expected), "\(reply)")
            #expect(try await service.client().call(ServiceInfo.self, NoMembers()).protocolVersion == 1)
        }
    }

    @Test("A caller may do only what a rule grants to its user or group")
    func callers() async throws {
        try await TemporaryFolder.with { folder in
            try
                "callers:\n- {user: \"4242\", tenants: \"*\", grants: [export]}\n- {group: \"0\", tenants: [globex], grants: [export]}\n"
                .write(toFile: folder + "/c.yaml", atomically: true, encoding: .utf8)
            try await ServiceProcess.with(environment: ["ADMINEXPORT_CONFIG": folder + "/c.yaml"]) { service in
                let client = try service.client()
                let error = await failure { _ = try await client.call(ExportStart.self, .init(actor: ServiceProcess.owner)) }
                #expect(error?.kind == "permission-denied")
                let list = await failure { _ = try await client.call(ExportList.self, .init(actor: nil)) }
                #expect(list?.code == .service(code: -32602, kind: "invalid-params"))
                let info = try await client.call(ServiceInfo.self, NoMembers())
                #expect(!info.caller.grants.contains { $0.grant == "operator" })
                if getgid() == 0 {
                    #expect(info.caller.grants.map(\.tenants) == [["globex"]])
                    _ = try await client.call(
                        ExportStart.self, .init(actor: ActorName(tenant: "globex", administrator: "owner@globex.example")))
                }
            }
        }
    }

    @Test("The connections of one user are limited, and one more gets an error")
    func connections() async throws {
        try await ServiceProcess.with(environment: ["ADMINEXPORT_LIMITS_CONNECTIONS_PER_USER": "4"]) { service in
            var clients: [Client] = []
            for number in 1...4 {
                // The connection that waited for the service's start may not have ended yet.
                try await eventually("connection \(number) is accepted") {
                    let client = try service.client()
                    let error = await failure { _ = try await client.call(ServiceInfo.self, NoMembers()) }
                    if error == nil { clients.append(client) }
                    return error == nil
                }
            }
            let error = await failure { _ = try await service.client().call(ServiceInfo.self, NoMembers()) }
            #expect(error?.code == .service(code: -32001, kind: "overloaded"))
            clients.removeLast().close()
            try await eventually("there is room again") {
                await failure { _ = try await service.client().call(ServiceInfo.self, NoMembers()) } == nil
            }
        }
    }

    @Test("A few hundred callers can wait for a service that does not accept at the moment")
    func backlog() async throws {
        try await ServiceProcess.with { service in
            let pid = service.process.processIdentifier
            kill(pid, SIGSTOP)
            defer { kill(pid, SIGCONT) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: service.socket.utf8) }
            var refused = 0
            var callers: [Int32] = []
            defer { callers.forEach { close($0) } }
            for _ in 0..<300 {
                let caller = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
                callers.append(caller)
                let connected = withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(caller, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                    }
                }
                if connected != 0 { refused += 1 }
            }
            #expect(refused == 0)
        }
    }
}
