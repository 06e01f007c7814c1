import AdminExportAPI
import Foundation
import Testing

@Suite struct WorkbookNameTests {
    @Test(
        "The file name contains the tenant's slug; a character that is not safe in a file name becomes _",
        arguments: [
            ("acme", "acme"), ("acme.com", "acme.com"), ("münchen", "münchen"), ("株式会社", "株式会社"), ("e\u{301}", "e\u{301}"),
            ("A B", "A B"),
            ("a/b", "a_b"), ("../../etc/passwd", ".._.._etc_passwd"), ("..", ".."), ("/", "_"),
            ("a\\b:c*d?e\"f<g>h|i", "a_b_c_d_e_f_g_h_i"),
            ("a\u{0}b\u{1B}c\nd\u{7F}e\u{9B}", "a_b_c_d_e_"), ("\u{202E}a\u{2066}b\u{200B}c\u{2028}", "_a_b_c_"),
            ("\u{E0041}\u{FE0F}", "__"),
            ("a\u{A0}b\u{3000}c", "a_b_c"), ("\u{E000}\u{FFFE}", "__"), ("-rf", "-rf"), (".hidden", ".hidden"),
            ("CON", "CON"), ("%41", "%41"),
        ])
    func names(_ tenant: String, _ part: String) {
        #expect(WorkbookName.name(tenant: tenant, day: "2026-11-25") == "administrators-\(part)-2026-11-25.xlsx")
    }

    @Test(
        "A long slug is cut between characters, and the file name keeps its day and its extension",
        arguments: ["a", "é", "e\u{301}", "株", "👨‍👩‍👧", "a\u{300}\u{301}\u{302}\u{303}"])
    func long(_ character: String) {
        for count in [1, 40, 43, 112, 224, 225, 320] {
            let name = WorkbookName.name(tenant: String(repeating: character, count: count), day: "2026-11-25")
            #expect(name.utf8.count <= 255 && name.hasPrefix("administrators-") && name.hasSuffix("-2026-11-25.xlsx"))
            #expect(!name.unicodeScalars.contains("\u{FFFD}"))
        }
        // One character whose encoding is longer than a file name may be.
        let tower = "a" + String(repeating: "\u{301}", count: 319)
        #expect((200...255).contains(WorkbookName.name(tenant: tower, day: "2026-11-25").utf8.count))
    }

    @Test(
        "A name from a service is changed to one that stays in its folder, is not hidden, and ends with .xlsx",
        arguments: [
            ("administrators-münchen-2026-11-25.xlsx", "administrators-münchen-2026-11-25.xlsx"), ("a.XLSX", "a.xlsx"),
            ("", "administrators.xlsx"),
            (".", "_..xlsx"), ("..", "_...xlsx"), ("/etc/cron.d/x", "_etc_cron.d_x.xlsx"),
            ("../.ssh/authorized_keys", "_.._.ssh_authorized_keys.xlsx"),
            (".bashrc", "_.bashrc.xlsx"), ("-rf.xlsx", "_-rf.xlsx"), ("~root.xlsx", "_~root.xlsx"),
            ("a\u{0}.xlsx", "a_.xlsx"), ("con.xlsx", "_con.xlsx"),
            ("NUL", "_NUL.xlsx"), ("a\nb.xlsx", "a_b.xlsx"), ("\u{202E}xslx.exe", "_xslx.exe.xlsx"),
            (".xlsx", "administrators.xlsx"),
            (" a.xlsx", "_ a.xlsx"), ("conftest.py", "conftest.py.xlsx"),
        ])
    func safe(_ given: String, _ name: String) {
        #expect(WorkbookName.safe(given) == name)
    }

    @Test("For every slug, the service's file name is one path component, and the command line accepts it unchanged")
    func agree() {
        var generator = SystemRandomNumberGenerator()
        let nasty = "/\\:.-~ \u{0}\u{1B}\u{7F}\u{9B}\u{202E}\u{200D}\u{301}\u{E0041}aé株👍\u{FFFE}\u{2028}".unicodeScalars.map
        { $0 }
        for _ in 0..<2_000 {
            var slug = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...320, using: &generator) {
                slug.append(
                    Bool.random(using: &generator)
                        ? nasty.randomElement()! : Unicode.Scalar(UInt32.random(in: 0...0xD7FF)) ?? "a")
            }
            let name = WorkbookName.name(tenant: String(slug), day: "2026-11-25")
            #expect(WorkbookName.safe(name) == name && name.utf8.count <= 255)
            #expect(!name.utf8.contains { $0 == UInt8(ascii: "/") || $0 < 32 || $0 == 127 })
            let other = WorkbookName.safe(String(slug))
            #expect(
                WorkbookName.safe(other) == other && other.utf8.count <= 255 && !other.hasPrefix(".")
                    && other.hasSuffix(".xlsx"))
        }
    }

    @Test("The name of a receipt is that of its workbook with another ending, and has at most 255 bytes")
    func receipt() {
        #expect(
            WorkbookName.receipt(of: "administrators-acme-2026-11-25.xlsx")
                == "administrators-acme-2026-11-25.xlsx.receipt.json")
        let long = WorkbookName.name(tenant: String(repeating: "é", count: 200), day: "2026-11-25")
        let receipt = WorkbookName.receipt(of: long)
        #expect(
            long.utf8.count > 240 && (250...255).contains(receipt.utf8.count) && receipt.hasSuffix("é.xlsx.receipt.json"))
    }
}
