internal import ArgumentParser

/// Looks at all that has to be right for this user to get a workbook here, and says what to do about what is not.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Find out what is wrong, and what to do about it.",
        discussion: """
            Looks at the socket, this user's groups, the units, both programs' versions, the rights, the database, the workers and \
            the disk. Ends with 0 where nothing is in the way, with 1 otherwise.
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
