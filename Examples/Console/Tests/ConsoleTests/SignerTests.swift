import Foundation
import Testing

@testable import Console

@Suite struct SignerTests {
    private let signer = Signer(key: Data(repeating: 7, count: 32))
    private let value = Data("owner@acme.example".utf8)

    @Test("A signed value can be opened; a change of a character never gives another value")
    func signature() {
        let signed = signer.sign(value, for: "session")
        #expect(signer.open(signed, for: "session") == value)
        for index in signed.indices {
            var changed = signed
            let other: Character = signed[index] == "A" ? "B" : "A"
            changed.replaceSubrange(index...index, with: [other])
            // The last character of a code contains unused bits.
            if let opened = signer.open(changed, for: "session") { #expect(opened == value) }
        }
        for nonsense in [
            "", ".", "..", "a.b", signed + "=", signed + ".", "." + signed, signed.replacing(".", with: ""), "é.é",
        ] {
            #expect(signer.open(nonsense, for: "session") == nil)
        }
    }

    @Test("A signature is not valid for another purpose or another key")
    func purposes() {
        let signed = signer.sign(value, for: "session")
        #expect(signer.open(signed, for: "form") == nil)
        #expect(Signer(key: Data(repeating: 8, count: 32)).open(signed, for: "session") == nil)
        // The end of a purpose cannot be taken for the start of the value.
        #expect(signer.code(Data("bc".utf8), for: "a") != signer.code(Data("c".utf8), for: "ab"))
    }

    @Test(
        "Only equal strings compare as equal",
        arguments: [("", "", true), ("a", "a", true), ("a", "b", false), ("a", "aa", false)])
    func equality(_ left: String, _ right: String, _ areEqual: Bool) {
        #expect(Signer.areEqual(left, right) == areEqual)
    }
}
