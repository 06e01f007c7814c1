import Foundation
import Testing

@testable import Console

@Suite struct MarkupTests {
    private static let hostile = [
        "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'\"&<>", "\"\u{301} onfocus=alert(1) x=\"",
        "<\u{338}script>", "&\u{20dd}lt;", "'\u{fe0f}", "{{title}}", "{{{title}}}", "\u{202e}gnp.exe", "a\0b", "\u{2028}",
    ]

    @Test("Every character with a meaning in HTML is escaped, whatever follows it", arguments: hostile)
    func escape(_ text: String) {
        let escaped = Markup().escapeText(text)
        for special: Unicode.Scalar in ["<", ">", "\"", "'"] { #expect(!escaped.unicodeScalars.contains(special)) }
        #expect(Self.plain(escaped) == text)
    }

    @Test("Each template escapes its values, also in partials and sections")
    func templates() throws {
        let templates = try Templates(folder: Resources.folder.appending(path: "Templates"))
        let texts = try Catalogue(folder: Resources.folder.appending(path: "Texts")).texts(chosen: "en", accepted: nil)
        let bomb = "\"\u{301}><b class='bomb'>"
        let row: [String: Any] = Dictionary(
            uniqueKeysWithValues: [
                "name", "email", "phone", "profile", "mainGroup", "secondaryGroups", "teams", "created", "updated", "tenant",
                "tenantName", "choose", "requested", "scope", "rows", "size", "expires", "label",
            ].map { ($0, bomb) })
        let view =
            ["id": bomb, "state": bomb, "title": bomb, "text": bomb, "hasFile": true, "canCancel": true] as [String: Any]
        var page: [String: Any] = [
            "t": texts.groups, "mayView": true, "hasProblem": true, "hasNext": true, "hasPrevious": true,
        ]
        for key in [
            "language", "title", "assets", "path", "token", "active", "idempotencyKey", "search", "count", "previous",
            "next", "problem", "text",
        ] {
            page[key] = bomb
        }
        page["visitor"] = ["name": bomb, "tenant": bomb, "tag": bomb]
        page["languages"] = [["code": bomb, "name": bomb]]
        page["rows"] = [row.merging(["view": view]) { $1 }]
        page["examples"] = [row]
        for name in ["accounts", "export", "exports", "sign-in", "problem"] {
            let html = try templates.render(name, page)
            #expect(html.contains("bomb"), "\(name) does not show its values")
            // Compares bytes, as a browser does.
            for raw in ["\"\u{301}", "<b class=", "'bomb'"] {
                let isEscaped = Array(html.utf8).replacing(Array(raw.utf8), with: []).count == html.utf8.count
                #expect(isEscaped, "\(name) contains \(raw) unescaped")
            }
        }
    }

    /// The text in which the entities of the escape are replaced by their characters.
    private static func plain(_ text: String) -> String {
        var scalars = text
        for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
            scalars = String(
                decoding: Array(scalars.utf8).replacing(Array(entity.utf8), with: Array(character.utf8)), as: UTF8.self)
        }
        return scalars
    }
}

extension [UInt8] {
    /// Works on bytes, because `String` does not find an entity before a combining mark.
    fileprivate func replacing(_ part: [UInt8], with other: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < count {
            if self[index...].starts(with: part) {
                result += other
                index += part.count
            } else {
                result.append(self[index])
                index += 1
            }
        }
        return result
    }
}

enum Resources {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/Console/Resources")
}
