internal import ArgumentParser

/// Checks everything that this user needs to get a workbook on this machine, and prints a remedy for each fault.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check the installation, and print a remedy for each fault.",
        discussion: """
            Checks the socket, the groups of this user, the units, the versions of both programs, the grants, the database, the \
            workers and the disk. The exit status is 0 if nothing prevents this user from getting a workbook, otherwise 1.
            """)

    @OptionGroup var service: ServiceOptions

    func run() async throws {
        try await reportingFailures {
            let (socket, mayConnect) = SocketExamination(path: service.path).findings()
            var findings = socket + UnitExamination().findings()
            if mayConnect { findings += await ServiceExamination(connect: service.connect).findings() }
            if service.json {
                try Output.json(findings)
            } else {
                try Output.result(findings.map(\.lines).joined(separator: "\n"))
            }
            if findings.contains(where: { $0.level == .failure }) { throw ExitCode(ExitStatus.failed.rawValue) }
        }
    }
}

/// The result of one check.
struct Finding: Encodable {
    enum Level: String, Encodable {
        case ok
        /// It works, but needs attention.
        case warning
        case failure
    }

    let level: Level
    /// The name of the check, in a word or two.
    let about: String
    let found: String
    /// What to do; nil if there is nothing to do.
    let remedy: String?

    static func ok(_ about: String, _ found: String) -> Finding {
        Finding(level: .ok, about: about, found: found, remedy: nil)
    }

    static func warning(_ about: String, _ found: String, _ remedy: String) -> Finding {
        Finding(level: .warning, about: about, found: found, remedy: remedy)
    }

    static func failure(_ about: String, _ found: String, _ remedy: String) -> Finding {
        Finding(level: .failure, about: about, found: found, remedy: remedy)
    }

    var lines: TerminalText {
        let mark: TerminalText =
            switch level {
            case .ok: "ok  "
            case .warning: "warn"
            case .failure: "FAIL"
            }
        let name = TerminalText(escaping: about).padded(to: 9)
        return "\(mark)  \(name) \(found)" + (remedy.map { "\n                → \($0)" } ?? "")
    }
}
