import Foundation

/// All languages.
struct Catalogue: Sendable {
    private let languages: [String: Texts]
    /// English, for browsers that accept none of the languages.
    private let fallback: Texts

    /// - Throws: if the folder has no English texts, or a file is invalid.
    init(folder: URL) throws {
        var languages: [String: Texts] = [:]
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        where file.pathExtension == "json" {
            let language = file.deletingPathExtension().lastPathComponent
            languages[language] = try Texts(language: language, json: Data(contentsOf: file))
        }
        guard let english = languages["en"] else { throw ResourceFault("there is no en.json") }
        fallback = english
        self.languages = languages
    }

    var all: [Texts] { languages.values.sorted { $0.language < $1.language } }

    /// The chosen language, or the language that the browser prefers (RFC 9110, 12.5.4).
    func texts(chosen: String?, accepted: String?) -> Texts {
        if let chosen, let texts = languages[chosen] { return texts }
        let wishes = (accepted ?? "").split(separator: ",").prefix(20).enumerated().map { position, wish in
            let parts = wish.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
            let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            return (language: parts.first?.prefix { $0 != "-" }.lowercased() ?? "", quality: quality, position: position)
        }
        let best = wishes.filter { $0.quality > 0 }.sorted { ($1.quality, $0.position) < ($0.quality, $1.position) }
        return best.lazy.compactMap { languages[$0.language] }.first ?? fallback
    }
}
