private import Dispatch
private import Foundation

/// Checks the units of the service, if systemd runs this system.
struct UnitExamination {
    /// In seconds, for `systemctl`.
    private static let timeout: Double = 5
    private static let program = "/usr/bin/systemctl"

    struct Unit: Equatable {
        var name = ""
        var load = ""
        var active = ""
        var sub = ""
        var result = ""
        var status = ""
        /// The error number that the service reported last, for a configuration that it refused.
        var error = 0
        /// `enabled`, `disabled`, `static` or `masked`.
        var file = ""
    }

    func findings() -> [Finding] {
        // SAFETY: the system reads the paths during the calls.
        guard unsafe access("/run/systemd/system", F_OK) == 0, unsafe access(Self.program, X_OK) == 0 else {
            return [.ok("units", "systemd does not run this system; the units were not checked")]
        }
        guard
            let text = Self.run(
                [
                    "show", "--property=Id,LoadState,ActiveState,SubState,Result,StatusText,StatusErrno,UnitFileState",
                    "adminexport.socket",
                    "adminexport.service", "adminexport-migrate.service", "adminexport-worker@*.service",
                ] + Self.enabledWorkers())
        else { return [.warning("units", "systemctl did not answer", "Run: systemctl status 'adminexport*'")] }
        return Self.findings(Self.units(text))
    }

    /// The enabled instances. A pattern finds only those that systemd has loaded.
    private static func enabledWorkers() -> [String] {
        let names = ["multi-user.target", "adminexport.target"].flatMap { target in
            (try? FileManager.default.contentsOfDirectory(atPath: "/etc/systemd/system/\(target).wants")) ?? []
        }
        return Set(names.filter { $0.hasPrefix("adminexport-worker@") }).sorted()
    }

    static func findings(_ units: [Unit]) -> [Finding] {
        var seen: Set<String> = []
        let there = units.filter { $0.load == "loaded" && seen.insert($0.name).inserted }
        guard there.contains(where: { $0.name == "adminexport.socket" }) else {
            return [.ok("units", "none are installed here")]
        }
        var findings = there.map { finding($0) }
        if !there.contains(where: { $0.name.hasPrefix("adminexport-worker@") }) {
            findings.append(
                .warning(
                    "units", "no worker is enabled on this machine",
                    "If no other machine makes the exports, run: systemctl enable --now adminexport-worker@1"))
        }
        return findings
    }

    private static func finding(_ unit: Unit) -> Finding {
        let found = "\(unit.name) is \(unit.active) (\(unit.sub))" + (unit.status.isEmpty ? "" : ": \(unit.status)")
        let journal = "journalctl -x -e -u \(unit.name)"
        if unit.active == "failed" {
            return .failure(
                "units", found + ", \(unit.result)", "To see why, run: \(journal); then: systemctl restart \(unit.name)")
        }
        if unit.name == "adminexport.socket", unit.active != "active" {
            return .failure("units", found, "Start it: systemctl enable --now adminexport.socket")
        }
        if unit.name.hasPrefix("adminexport-worker@"), unit.active == "inactive", unit.file == "enabled" {
            return .warning("units", found + ", though it is enabled", "Start it: systemctl start \(unit.name)")
        }
        if unit.sub == "auto-restart" {
            return .failure("units", found + ": it fails repeatedly", "To see why, run: \(journal)")
        }
        if unit.error != 0 {
            return .warning("units", found, "Correct the configuration, then run: systemctl reload \(unit.name)")
        }
        return .ok("units", found)
    }

    static func units(_ text: String) -> [Unit] {
        text.components(separatedBy: "\n\n").map { block in
            var unit = Unit()
            for line in block.split(separator: "\n") {
                let words = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard words.count == 2 else { continue }
                switch words[0] {
                case "Id": unit.name = words[1]
                case "LoadState": unit.load = words[1]
                case "ActiveState": unit.active = words[1]
                case "SubState": unit.sub = words[1]
                case "Result": unit.result = words[1]
                case "StatusText": unit.status = words[1]
                case "StatusErrno": unit.error = Int(words[1]) ?? 0
                case "UnitFileState": unit.file = words[1]
                default: break
                }
            }
            return unit
        }.filter { !$0.name.isEmpty }
    }

    /// - Returns: the standard output; nil if `systemctl` fails or takes too long.
    private static func run(_ arguments: [String]) -> String? {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let timer = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + timeout, execute: timer)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        timer.cancel()
        return process.terminationStatus == 0 && process.terminationReason == .exit ? text : nil
    }
}
