import Foundation

/// The texts of the console in one language, from the file `Resources/Texts/<language>.json`.
struct Texts: Sendable {
    /// A language tag (BCP 47).
    let language: String
    /// Groups of texts, for templates: `{{t.group.name}}`.
    let groups: [String: [String: String]]

    init(language: String, json: Data) throws {
        self.language = language
        groups = try JSONDecoder().decode([String: [String: String]].self, from: json)
    }

    /// The text `group.name`, with its `{placeholders}` replaced; the name itself if there is no such text, so that the error is visible.
    func callAsFunction(_ name: String, _ values: [String: String] = [:]) -> String {
        guard let text = text(name) else { return name }
        // Replace in one pass, because a value may look like a placeholder.
        return text.replacing(/\{([a-z]+)\}/) { values[String($0.1)] ?? String($0.0) }
    }

    /// The first of the named texts that exists.
    func first(of names: [String]) -> String {
        names.lazy.compactMap { text($0) }.first ?? names.last ?? ""
    }

    private func text(_ name: String) -> String? {
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        return parts.count == 2 ? groups[parts[0]]?[parts[1]] : nil
    }

    // MARK: Numbers, dates and sizes

    private var locale: Locale { Locale(identifier: language) }

    func number(_ number: Int) -> String {
        number.formatted(.number.locale(locale))
    }

    func percent(_ percent: Int) -> String {
        (Double(percent) / 100).formatted(.percent.precision(.fractionLength(0)).locale(locale))
    }

    func size(_ bytes: Int) -> String {
        let (value, unit) =
            switch bytes {
            case 1_000_000...: (Double(bytes) / 1_000_000, "size.megabytes")
            case 1_000...: (Double(bytes) / 1_000, "size.kilobytes")
            default: (Double(bytes), "size.bytes")
            }
        let digits = bytes < 1_000 ? 0 : 1
        return self(unit, ["size": value.formatted(.number.precision(.fractionLength(digits)).locale(locale))])
    }

    /// A time from the service (RFC 3339), in a time zone.
    func time(_ text: String?, in zone: String) -> String? {
        guard let text,
            let date = try? Date(text, strategy: .iso8601.year().month().day().time(includingFractionalSeconds: true))
        else { return text }
        var style = Date.FormatStyle(date: .abbreviated, time: .shortened, locale: locale)
        style.timeZone = TimeZone(identifier: zone) ?? .gmt
        return date.formatted(style)
    }

    /// A day from the directory, `yyyy-mm-dd`.
    func day(_ text: String) -> String {
        guard let date = try? Date(text, strategy: .iso8601.year().month().day()) else { return text }
        var style = Date.FormatStyle(date: .abbreviated, time: .omitted, locale: locale)
        style.timeZone = .gmt
        return date.formatted(style)
    }
}
