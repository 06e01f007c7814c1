/// OpenMetrics in the older text format of Prometheus (0.0.4), which node_exporter's collector of text files reads: there a
/// counter's family has its samples' name, and there is neither a unit nor an end.
enum PrometheusText {
    /// Names that node_exporter has itself: a second family of the name makes its answer a fault.
    private static let others = "process_"

    /// Whether the service has answered.
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
