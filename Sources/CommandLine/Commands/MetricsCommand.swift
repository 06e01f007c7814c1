internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// Prints the service's figures, or keeps a file of them for node_exporter.
struct MetricsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print the service's figures as OpenMetrics text.",
        discussion: """
            With --textfile they are written to a file in the text format of Prometheus, for node_exporter's collector of text \
            files: the file is replaced as a whole, and may be read by everyone. adminexport_up in it is 0 where the service does \
            not answer. Figures that node_exporter has of its own, process_…, are left out.
            """)

    /// Of a file's writer: whoever runs it again and again does not wait for long.
    private static let patience: Duration = .seconds(10)

    @OptionGroup var service: ServiceOptions

    @Option(help: ArgumentHelp("Write them to this file instead, such as DIRECTORY/adminexport.prom.", valueName: "path"))
    var textfile: String?

    func run() async throws {
        try await reportingFailures {
            if let textfile { return try await keep(textfile) }
            let metrics = try await service.connect().call(ServiceMetrics.self, NoMembers())
            if service.json {
                try Output.json(metrics)
            } else {
                try Output.result(TerminalText(lines: String(metrics.body.dropLast())))
            }
        }
    }

    /// A file that stays as it was would say that all is well for as long as it lies there.
    private func keep(_ path: String) async throws {
        do {
            let metrics = try await service.connect().call(ServiceMetrics.self, NoMembers(), timeout: Self.patience)
            try Self.replace(path, PrometheusText.up(true) + PrometheusText.convert(openMetrics: metrics.body))
        } catch let error as ClientError {
            try Self.replace(path, PrometheusText.up(false))
            throw error
        }
    }

    /// - Throws: ``CommandFailure`` with the status 73.
    private static func replace(_ path: String, _ text: String) throws {
        // The collector reads whatever ends with .prom.
        let temporary = "\(path).\(getpid()).new"
        let bytes = Array(text.utf8)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw failure(path) }
        var done = fchmod(file, 0o644) == 0 && write(file, bytes, bytes.count) == bytes.count
        done = close(file) == 0 && done
        guard done, rename(temporary, path) == 0 else {
            let failure = failure(path)
            unlink(temporary)
            throw failure
        }
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure(status: .cannotCreate, message: "\(path) cannot be written: \(String(cString: strerror(errno)))")
    }
}
