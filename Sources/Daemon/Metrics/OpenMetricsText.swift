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
    ///   - name: without a suffix such as `_total`; ends with the unit where there is one.
    ///   - help: one sentence.
    mutating func family(_ name: String, _ kind: Kind, unit: String? = nil, _ help: String) {
        lines.append("# TYPE \(name) \(kind.rawValue)")
        if let unit { lines.append("# UNIT \(name) \(unit)") }
        lines.append("# HELP \(name) \(Self.escape(help))")
    }

    /// - Parameter name: with the suffix that the kind asks for.
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

    /// A family of one histogram.
    ///
    /// - Parameters:
    ///   - bounds: in seconds, rising.
    ///   - counts: one more than the bounds, each of its own bucket alone.
    mutating func histogram(_ name: String, _ help: String, bounds: [Double], counts: [Int], sum: Double) {
        family(name, .histogram, unit: "seconds", help)
        var below = 0
        for (bound, count) in zip(bounds.map { "\($0)" } + ["+Inf"], counts) {
            below += count
            sample(name + "_bucket", ["le": bound], below)
        }
        sample(name + "_sum", [:], sum)
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
