import AdminExportAPI
import Foundation
import Testing

@testable import CommandLine

@Suite struct DoctorTests {
    private func health(
        database: String = "ok", workers: Int? = 1, slots: Int = 1, draining: Int = 0, paused: Bool = false,
        oldest: Int? = nil, free: Int? = 50_000_000_000,
        storage: String = "ok"
    ) -> ServiceHealth.Result {
        var health = ServiceHealth.Result(status: .ok, database: database, storage: storage)
        (health.queued, health.running, health.oldestQueuedMs, health.workers) = (3, 1, oldest, workers)
        (health.slots, health.draining, health.paused) = (slots, draining, paused)
        (health.schemaVersion, health.freeBytes) = (4, free)
        return health
    }

    private func worst(_ findings: [Finding]) -> (Finding.Level?, String) {
        let bad = findings.first { $0.level == .failure } ?? findings.first { $0.level == .warning }
        return (bad?.level, bad?.remedy ?? "")
    }

    @Test("doctor reports each fault in the service's health with a remedy")
    func service() {
        #expect(ServiceExamination.findings(health()).allSatisfy { $0.level == .ok && $0.remedy == nil })
        for (result, level, remedy) in [
            (health(database: "unavailable"), Finding.Level.failure, "check-config"),
            (health(workers: 0), .failure, "systemctl enable --now adminexport-worker@1"),
            (health(draining: 1), .failure, "--undo"), (health(slots: 2, oldest: 20_000), .warning, "runningPerTenant"),
            (health(paused: true), .warning, "adminexport resume"),
            (health(oldest: 900_000), .warning, "adminexport workers"),
            (health(free: 1_000_000), .warning, "retention"), (health(storage: "not mounted"), .failure, "mounted"),
        ] {
            let found = worst(ServiceExamination.findings(result))
            #expect(found.0 == level && found.1.contains(remedy), "\(found)")
        }
    }

    @Test("doctor tells a caller without grants to change callers, and suggests a restart if the versions differ")
    func info() {
        func findings(_ version: String, _ grants: [ServiceInfo.Caller.Grant]) -> [Finding] {
            ServiceExamination.findings(
                ServiceInfo.Result(
                    name: "adminexport", version: version, protocolVersion: 1, limits: .init(), capabilities: [],
                    otherGroups: .show, attributes: [], includeAbout: false, signingKeys: [],
                    caller: .init(uid: 1, gid: 1, groups: [1], grants: grants)))
        }
        let grant = ServiceInfo.Caller.Grant(grant: "export", tenants: ["*"])
        #expect(findings(AdminExport.version, [grant]).allSatisfy { $0.level == .ok })
        #expect(worst(findings("0.0.1", [grant])).1.contains("systemctl restart"))
        #expect(worst(findings(AdminExport.version, [])).1.contains("callers"))
    }

    @Test("doctor judges units by the output of systemctl show")
    func units() {
        let socket = "Id=adminexport.socket\nLoadState=loaded\nActiveState=active\nSubState=listening\nResult=success\n"
        let service = "Id=adminexport.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nStatusText=\n"
        let worker =
            "Id=adminexport-worker@1.service\nLoadState=loaded\nActiveState=active\nSubState=running\nStatusText=Working, a=b\nStatusErrno=0\n"
        func findings(_ blocks: String...) -> [Finding] {
            UnitExamination.findings(UnitExamination.units(blocks.joined(separator: "\n")))
        }
        let fine = findings(socket, service, worker)
        #expect(fine.count == 3 && fine.allSatisfy { $0.level == .ok })
        #expect(fine[2].found.hasSuffix("Working, a=b"))
        #expect(worst(findings(socket, service)).1.contains("adminexport-worker@1"))
        #expect(
            worst(findings(socket, worker, service.replacingOccurrences(of: "inactive", with: "failed"))).1.contains(
                "journalctl"))
        #expect(
            worst(findings(socket.replacingOccurrences(of: "=active", with: "=inactive"), worker)).1.contains("enable --now")
        )
        #expect(
            worst(
                findings(
                    socket,
                    worker + "StatusErrno=22\n")
            )
            .1.contains("systemctl reload"))
        #expect(
            worst(
                findings(
                    socket,
                    "Id=adminexport-worker@1.service\nLoadState=loaded\nActiveState=inactive\nSubState=dead\nUnitFileState=enabled\n"
                )
            )
            .1.contains("systemctl start adminexport-worker@1"))
        #expect(findings("Id=adminexport.socket\nLoadState=not-found\n").map(\.level) == [.ok])
    }

    @Test("doctor reports a socket that does not exist and a file that is not a socket")
    func socket() throws {
        let folder = "/tmp/adminexport-doctor-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let missing = SocketExamination(path: folder + "/none").findings()
        #expect(!missing.mayConnect && worst(missing.all).1.contains("enable --now adminexport.socket"))
        try "x".write(toFile: folder + "/file", atomically: false, encoding: .utf8)
        #expect(!SocketExamination(path: folder + "/file").findings().mayConnect)
    }
}
