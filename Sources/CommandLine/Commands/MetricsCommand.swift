internal import AdminExportAPI
internal import AdminExportClient
internal import ArgumentParser
private import Foundation

/// Prints the service's metrics, or writes them to a file for node_exporter.
struct MetricsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print the service's metrics as OpenMetrics text.",
        discussion: """
            With --textfile, the command replaces the file atomically with the metrics in the text format of Prometheus, for the \
            textfile collector of node_exporter. Every user can read the file. adminexport_up is 0 if the service does not answer. \
            The file does not contain the metrics process_…, which node_exporter has itself.
            """)

    /// A timer runs the command repeatedly, so it must not wait for long.
    private static let timeout: Duration = .seconds(10)

    @OptionGroup var service: ServiceOptions

    @Option(help: ArgumentHelp("Write the metrics to this file, for example DIRECTORY/adminexport.prom.", valueName: "path"))
    var textfile: String?

    func run() async throws {
        try await reportingFailures {
            if let textfile { return try await updateTextfile(textfile) }
            let metrics = try await service.connect().call(ServiceMetrics.self, NoMembers())
            if service.json {
                try Output.json(metrics)
            } else {
                try Output.result(TerminalText(lines: String(metrics.body.dropLast())))
            }
        }
    }

    /// Replaces the file also if the service does not answer: an old file would report a service that works.
    private func updateTextfile(_ path: String) async throws {
        do {
            let metrics = try await service.connect().call(ServiceMetrics.self, NoMembers(), timeout: Self.timeout)
            try Self.replace(path, PrometheusText.up(true) + PrometheusText.convert(openMetrics: metrics.body))
        } catch let error as ClientError {
            try Self.replace(path, PrometheusText.up(false))
            throw error
        }
    }

    /// - Throws: ``CommandFailure`` with the status 73.
    private static func replace(_ path: String, _ text: String) throws {
        // The collector reads every file whose name ends with .prom.
        let temporary = "\(path).\(getpid()).new"
        let bytes = Array(text.utf8)
        // SAFETY: the system reads the paths and the given number of bytes during the calls.
        let file = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw failure(path) }
        var done = unsafe fchmod(file, 0o644) == 0 && write(file, bytes, bytes.count) == bytes.count
        done = close(file) == 0 && done
        guard done, unsafe rename(temporary, path) == 0 else {
            let failure = failure(path)
            unsafe unlink(temporary)
            throw failure
        }
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure(status: .cannotCreate, message: "\(path) cannot be written: \(CommandFailure.reason(errno))")
    }
}

/// Converts OpenMetrics text to the text format 0.0.4 of Prometheus, which the textfile collector of node_exporter reads. In that format the
/// family of a counter has the name of its samples, and there are no UNIT and EOF lines.
enum PrometheusText {
    /// The prefix of node_exporter's own metrics. node_exporter fails if a family exists twice.
    private static let others = "process_"

    /// The metric that shows whether the service answers.
    static func up(_ isUp: Bool) -> String {
        """
        # TYPE adminexport_up gauge
        # HELP adminexport_up Whether the service answers.
        adminexport_up \(isUp ? 1 : 0)

        """
    }

    static func convert(openMetrics text: String) -> String {
        var suffixes: [Substring: String] = [:]
        var lines: [String] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3)
            guard words.first == "#" else {
                if line.hasPrefix(others) { continue }
                lines.append(String(line))
                continue
            }
            guard words.count == 4, !words[2].hasPrefix(others) else { continue }
            let name = words[2]
            switch (words[1], words[3]) {
            case ("TYPE", "counter"):
                suffixes[name] = "_total"
                lines.append("# TYPE \(name)_total counter")
            case ("TYPE", "info"):
                suffixes[name] = "_info"
                lines.append("# TYPE \(name)_info gauge")
            case ("TYPE", let kind): lines.append("# TYPE \(name) \(kind)")
            case ("HELP", let help):
                lines.append("# HELP \(name)\(suffixes[name] ?? "") \(help.replacing("\\\"", with: "\""))")
            default: break
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
