internal import AdminExportAPI

/// Text in the OpenMetrics format (https://prometheus.io/docs/specs/om/open_metrics_spec/, 1.0), family by family.
struct OpenMetricsText {
    static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    private var lines: [String] = []

    enum Kind: String {
        case counter, gauge, info, histogram
    }

    typealias Labels = KeyValuePairs<String, String>

    /// Begins a family; its samples follow.
    ///
    /// - Parameters:
    ///   - name: the name without a suffix such as `_total`; it ends with the unit, if there is one.
    ///   - help: one sentence.
    mutating func family(_ name: String, _ kind: Kind, unit: String? = nil, _ help: String) {
        lines.append("# TYPE \(name) \(kind.rawValue)")
        if let unit { lines.append("# UNIT \(name) \(unit)") }
        lines.append("# HELP \(name) \(Self.escape(help))")
    }

    /// - Parameter name: the name with the suffix of the kind.
    mutating func sample(_ name: String, _ labels: Labels, _ value: Int) {
        lines.append("\(name)\(Self.text(labels)) \(value)")
    }

    mutating func sample(_ name: String, _ labels: Labels, _ value: Double) {
        lines.append("\(name)\(Self.text(labels)) \(value)")
    }

    /// A family of one gauge.
    mutating func gauge(_ name: String, unit: String? = nil, _ help: String, _ value: Int) {
        family(name, .gauge, unit: unit, help)
        sample(name, [:], value)
    }

    /// A family of one counter.
    mutating func counter(_ name: String, unit: String? = nil, _ help: String, _ value: Int) {
        family(name, .counter, unit: unit, help)
        sample(name + "_total", [:], value)
    }

    /// Samples that differ in one label.
    mutating func samples(_ name: String, _ label: String, _ values: KeyValuePairs<String, Int>) {
        for (word, value) in values { sample(name, [label: word], value) }
    }

    /// A family of one histogram.
    mutating func histogram(_ name: String, _ help: String, _ histogram: ServiceStats.Histogram) {
        family(name, .histogram, unit: "seconds", help)
        var below = 0
        for bucket in histogram.buckets {
            below += bucket.count
            sample(name + "_bucket", ["le": bucket.upToUs.map { "\(Double($0) / 1e6)" } ?? "+Inf"], below)
        }
        sample(name + "_sum", [:], Double(histogram.sumUs) / 1e6)
        sample(name + "_count", [:], below)
    }

    var text: String { lines.joined(separator: "\n") + "\n# EOF\n" }

    private static func text(_ labels: Labels) -> String {
        labels.isEmpty ? "" : "{" + labels.map { "\($0.key)=\"\(escape($0.value))\"" }.joined(separator: ",") + "}"
    }

    private static func escape(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
