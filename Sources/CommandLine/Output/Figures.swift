private import Foundation

/// The service's figures, read from its OpenMetrics text.
struct Figures {
    private var samples: [(name: String, labels: [String: String], value: Double)] = []

    init(openMetrics text: String) {
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let match = line.wholeMatch(of: /([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)/),
                let value = Double(match.3)
            else { continue }
            var labels: [String: String] = [:]
            for pair in (match.2 ?? "").matches(of: /([a-z_]+)="((?:[^"\\]|\\.)*)"/) {
                labels[String(pair.1)] = String(pair.2)
            }
            samples.append((String(match.1), labels, value))
        }
    }

    /// The sum of the samples that have the labels; nil where there is none.
    func sum(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        let found = samples.filter { sample in
            sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
        }
        return found.isEmpty ? nil : found.reduce(0) { $0 + $1.value }
    }

    /// The same as a whole number; 0 where there is none.
    func count(_ name: String, _ labels: [String: String] = [:]) -> Int {
        Int(saturating: sum(name, labels) ?? 0)
    }

    /// The bound of a histogram's bucket below which a share of what was observed lies, in seconds; infinite above the last.
    ///
    /// - Returns: nil where nothing was observed.
    func quantile(_ share: Double, of histogram: String) -> Double? {
        let buckets = samples.filter { $0.name == histogram + "_bucket" }.compactMap { sample in
            sample.labels["le"].flatMap { $0 == "+Inf" ? .infinity : Double($0) }.map { (bound: $0, count: sample.value) }
        }.sorted { $0.bound < $1.bound }
        guard let all = buckets.last?.count, all > 0 else { return nil }
        return buckets.first { $0.count >= share * all }?.bound
    }
}
