import AdminExportAPI
import AdminExportClient
import Foundation
import Testing

@testable import Console

@Suite struct TextsTests {
    private let catalogue: Catalogue

    init() throws {
        catalogue = try Catalogue(folder: Resources.folder.appending(path: "Texts"))
    }

    @Test("Every language has the same texts with the same placeholders")
    func complete() throws {
        let english = catalogue.texts(chosen: "en", accepted: nil)
        #expect(Set(catalogue.all.map(\.language)).isSuperset(of: ["en", "fr"]))
        for language in catalogue.all {
            #expect(Set(language.groups.keys) == Set(english.groups.keys))
            for (group, texts) in english.groups {
                let others = try #require(language.groups[group])
                #expect(Set(others.keys) == Set(texts.keys), "\(language.language): \(group)")
                for (name, text) in texts {
                    #expect(
                        Self.placeholders(others[name] ?? "") == Self.placeholders(text),
                        "\(language.language): \(group).\(name)")
                    #expect(others[name]?.isEmpty == false)
                }
            }
        }
    }

    private static func placeholders(_ text: String) -> Set<String> {
        Set(text.matches(of: /\{[a-z]+\}/).map { String($0.output) })
    }

    @Test("Every text that a template or the program names exists")
    func named() throws {
        let english = catalogue.texts(chosen: "en", accepted: nil)
        let sources = Resources.folder.deletingLastPathComponent()
        var count = 0
        let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            guard ["swift", "mustache"].contains(file.pathExtension) else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            let pattern =
                file.pathExtension == "swift"
                ? /texts\(\s*"([a-z]+)\.([A-Za-z0-9-]+)"/ : /\{\{t\.([a-z]+|signIn)\.([A-Za-z0-9]+)\}\}/
            for match in text.matches(of: pattern) {
                count += 1
                #expect(
                    english.groups[String(match.1)]?[String(match.2)] != nil, "\(file.lastPathComponent): \(match.output.0)")
            }
        }
        #expect(count > 80)
    }

    @Test("Every state, error kind and failure kind has a text in every language")
    func kinds() {
        for texts in catalogue.all {
            for state in Job.State.allCases { #expect(texts.groups["state"]?[state.rawValue] != nil) }
            for kind in FailureKind.allCases { #expect(texts.groups["failure"]?[kind.rawValue] != nil, "\(kind)") }
            for kind in [
                ErrorKind.permissionDenied, .notFound, .notReady, .conflict, .quotaExceeded, .expired, .overloaded,
                .unavailable,
            ] {
                #expect(texts.groups["error"]?[kind.rawValue] != nil, "\(kind)")
            }
        }
    }

    @Test(
        "The language is the chosen one, or the one that the browser prefers",
        arguments: [
            ("fr", nil, "fr"), (nil, "fr-CA,fr;q=0.9,en;q=0.8", "fr"), (nil, "de,en;q=0.5,fr;q=0.7", "fr"),
            (nil, "de", "en"),
            (nil, nil, "en"), ("xx", "fr", "fr"), ("en", "fr", "en"), (nil, "fr;q=0, en", "en"), (nil, ";;;,,q=", "en"),
            ("../en", nil, "en"), (nil, "FR", "fr"), (nil, "*", "en"),
        ] as [(String?, String?, String)])
    func choice(_ chosen: String?, _ accepted: String?, _ language: String) {
        #expect(catalogue.texts(chosen: chosen, accepted: accepted).language == language)
    }

    @Test("Numbers, sizes and days are formatted for the language")
    func numbers() {
        let (english, french) = (catalogue.texts(chosen: "en", accepted: nil), catalogue.texts(chosen: "fr", accepted: nil))
        #expect(english.number(1_234_567) == "1,234,567")
        #expect(french.number(1_234_567) == "1\u{202f}234\u{202f}567")
        #expect(english.percent(7) == "7%")
        #expect(french.percent(7) == "7\u{202f}%" || french.percent(7) == "7\u{a0}%")
        #expect(english.size(999) == "999 bytes")
        #expect(english.size(74_123_456) == "74.1 MB")
        #expect(french.size(74_123_456) == "74,1 Mo")
        #expect(english.day("2025-10-24") == "Oct 24, 2025")
        #expect(english.day("44 BC") == "44 BC", "a text that is not a day must be shown unchanged")
        #expect(english.time("2026-11-26T23:30:00.000Z", in: "Europe/Paris")?.hasPrefix("Nov 27, 2026") == true)
        #expect(english.time("2026-11-26T23:30:00.000Z", in: "Nowhere/Land")?.hasPrefix("Nov 26, 2026") == true)
    }

    @Test("A value that looks like a placeholder is inserted unchanged")
    func placeholder() {
        let english = catalogue.texts(chosen: "en", accepted: nil)
        #expect(english("progress.done", ["rows": "{file}", "file": "a.xlsx"]) == "Accounts: {file}. File: a.xlsx.")
        #expect(english("there.isNone") == "there.isNone")
    }
}
