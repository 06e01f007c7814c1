import Foundation
import Testing

@testable import Evidence

@Suite struct ReceiptTests {
    private static let key = SigningKey()
    private static let other = SigningKey()
    private static let digest = String(repeating: "ab", count: 32)

    private static let predicate = ExportPredicate(
        manifest: Manifest(
            job: "019ac0de-7a5c-7b1d-9e00-5a3c1f2e4d6b", tenant: "acme", actor: "owner@acme.example", rows: 6, sheets: 1,
            sha256: digest, size: 6_921, created: "2026-12-01T09:30:00Z", columns: ["Name", "Größe \u{202E}"],
            options: .init(includeDisabled: false, includeReferences: false, includeAbout: true),
            warnings: [.init(kind: "text-truncated", count: 1)]),
        facts: ExportPredicate.Facts(
            requester: .init(email: "owner@acme.example", key: "1"), requestedAt: "2026-12-01T09:29:59.480Z",
            snapshotAt: "2026-12-01T09:30:00.120Z", timeZone: "Europe/Paris", tenantKey: "7", tenantName: "Acme",
            scope: .init(kind: .groups, groups: ["Sales"], otherGroups: "show"),
            columnSources: ["directory.administrator.name", "x"],
            epoch: 1, installation: "019ac0de-0000-4000-8000-000000000000",
            program: .init(name: "adminexport", version: "0.1.0")),
        rowsPerSheet: [.init(name: "Administrators", rows: 6)], signedAt: "2026-12-01T09:30:00.480Z")

    private static func receipt(_ key: SigningKey = key) throws -> Receipt {
        try Receipt(predicate, fileName: "administrators-acme-2026-12-01.xlsx", by: key)
    }

    private static func refusal(_ body: () throws -> Void) -> EvidenceFault? {
        do {
            try body()
        } catch {
            return error as? EvidenceFault
        }
        return nil
    }

    @Test("The bytes that are signed are those of DSSE's specification")
    func encoding() {
        // The example in protocol.md of DSSE.
        let message = Envelope.message(Array("hello world".utf8), "http://example.com/HelloWorld")
        #expect(String(decoding: message, as: UTF8.self) == "DSSEv1 29 http://example.com/HelloWorld 11 hello world")
        // Lengths count bytes.
        #expect(String(decoding: Envelope.message([], "é"), as: UTF8.self) == "DSSEv1 2 é 0 ")
    }

    @Test("A receipt is an in-toto statement with the manifest and the facts in one object")
    func form() throws {
        let receipt = try Self.receipt()
        let envelope = receipt.envelope
        #expect(
            envelope.payloadType == "application/vnd.in-toto+json"
                && envelope.signatures.map(\.keyid) == [Self.key.verificationKey.id])
        let payload = try #require(Data(base64Encoded: envelope.payload))
        let statement = try #require(JSONSerialization.jsonObject(with: payload) as? [String: Any])
        #expect(statement["_type"] as? String == "https://in-toto.io/Statement/v1")
        #expect(statement["predicateType"] as? String == "urn:adminexport:export:v1")
        let subject = try #require((statement["subject"] as? [[String: Any]])?.first)
        #expect(subject["name"] as? String == "administrators-acme-2026-12-01.xlsx")
        #expect(subject["digest"] as? [String: String] == ["sha256": Self.digest])
        let predicate = try #require(statement["predicate"] as? [String: Any])
        #expect(
            predicate.keys.sorted() == [
                "actor", "columnSources", "columns", "created", "epoch", "installation", "job", "options", "program",
                "requestedAt", "requester", "rows", "rowsPerSheet", "scope", "sha256", "sheets", "signedAt", "size",
                "snapshotAt", "tenant", "tenantKey", "tenantName", "timeZone", "warnings",
            ])
        // The text for the row of the job is ASCII on one line, whatever the names are.
        let json = try envelope.json
        #expect(json.utf8.allSatisfy { (0x20..<0x7F).contains($0) })
        let read = try Receipt(json: Data(json.utf8)).verify([Self.key.verificationKey])
        #expect(read.predicate == Self.predicate && read.fileName == "administrators-acme-2026-12-01.xlsx")
    }

    @Test("All keys are tried, whatever the receipt names; a retired key counts, and a revoked one does not")
    func keys() throws {
        let (key, other) = (Self.key.verificationKey, Self.other.verificationKey)
        let receipt = try Self.receipt()
        #expect(try receipt.verify([other, key]).key == key)
        #expect(try receipt.verify([key.with(.retired), other]).key.status == .retired)
        let refusals: [([VerificationKey], EvidenceFault.Code)] = [
            ([], .noKey), ([other], .unknownKey), ([key.with(.revoked)], .revokedKey),
            // The file that revokes the key counts, in whichever order.
            ([key, key.with(.revoked)], .revokedKey), ([key.with(.revoked), key.with(.retired)], .revokedKey),
        ]
        for (keys, code) in refusals { #expect(Self.refusal { _ = try receipt.verify(keys) }?.code == code) }
        // A wrong or missing hint changes nothing.
        for hint in [nil, "", "zz", other.id] as [String?] {
            let hinted = try Self.edited(receipt) { envelope in
                var signature = (envelope["signatures"] as? [[String: Any]])?.first ?? [:]
                signature["keyid"] = hint
                envelope["signatures"] = [signature]
            }
            #expect(try Receipt(json: hinted).verify([other, key]).key == key)
        }
        // One good signature among others is enough; a foreign one alone is not.
        let foreign = try Self.receipt(Self.other)
        let both = try Self.edited(receipt) { envelope in
            let more = (envelope["signatures"] as? [Any] ?? []) + [["sig": foreign.envelope.signatures[0].sig]]
            envelope["signatures"] = Array(more.reversed())
        }
        #expect(try Receipt(json: both).verify([key]).key == key)
    }

    private static func edited(_ receipt: Receipt, _ edit: (inout [String: Any]) -> Void) throws -> Data {
        var object = try #require(
            JSONSerialization.jsonObject(with: Data(receipt.envelope.json.utf8)) as? [String: Any])
        edit(&object)
        return try JSONSerialization.data(withJSONObject: object)
    }

    @Test("A flipped bit anywhere in the payload, its type or the signature is refused")
    func flippedBits() throws {
        let key = Self.key.verificationKey
        let envelope = try Self.receipt().envelope
        let payload = try #require(Data(base64Encoded: envelope.payload))
        let signature = try #require(Data(base64Encoded: envelope.signatures[0].sig))
        func accepts(_ payload: Data, _ type: String, _ signature: Data) -> Bool {
            let changed: [String: Any] = [
                "payload": payload.base64EncodedString(), "payloadType": type,
                "signatures": [["keyid": key.id, "sig": signature.base64EncodedString()]],
            ]
            guard let json = try? JSONSerialization.data(withJSONObject: changed) else { return false }
            return (try? Receipt(json: json).verify([key])) != nil
        }
        func flipped(_ bytes: Data, _ bit: Int) -> Data {
            var bytes = bytes
            bytes[bytes.startIndex + bit / 8] ^= 1 << (bit % 8)
            return bytes
        }
        #expect(accepts(payload, envelope.payloadType, signature))
        let accepted =
            (0..<payload.count * 8).filter { accepts(flipped(payload, $0), envelope.payloadType, signature) }
            + (0..<signature.count * 8).filter { accepts(payload, envelope.payloadType, flipped(signature, $0)) }
        #expect(accepted.isEmpty)
        let type = Data(envelope.payloadType.utf8)
        for bit in 0..<type.count * 8 {
            guard let changed = String(data: flipped(type, bit), encoding: .utf8) else { continue }
            #expect(!accepts(payload, changed, signature))
        }
    }

    @Test("A receipt that is no receipt, is cut off, or states something else is refused with its reason")
    func malformed() throws {
        let key = Self.key
        let json = try Self.receipt().envelope.json
        func code(_ data: Data) -> EvidenceFault.Code? {
            Self.refusal { _ = try Receipt(json: data).verify([key.verificationKey]) }?.code
        }
        for length in stride(from: 0, to: json.utf8.count - 1, by: 7) {
            #expect(code(Data(json.utf8.prefix(length))) == .malformed, "the first \(length) bytes")
        }
        for text in ["", "[]", "null", "{}", "PK\u{3}\u{4}", "{\"payload\":\"\",\"payloadType\":\"\",\"signatures\":[]}"] {
            #expect(code(Data(text.utf8)) != nil)
        }
        #expect(code(Data(count: Envelope.maxBytes + 1)) == .malformed)
        #expect(code(Data(String(repeating: "[", count: 100_000).utf8)) == .malformed)
        func signed(_ payload: String, _ type: String = Statements.payloadType) throws -> EvidenceFault.Code? {
            code(Data(try Envelope(signing: Array(payload.utf8), type: type, by: key).json.utf8))
        }
        let statement = String(decoding: try #require(Data(base64Encoded: Self.receipt().envelope.payload)), as: UTF8.self)
        #expect(try signed(statement) == nil)
        #expect(try signed(statement, "text/plain") == .unknownType)
        #expect(try signed("no JSON") == .malformed)
        #expect(try signed("{}") == .unknownType)
        #expect(try signed(statement.replacing("Statement/v1", with: "Statement/v2")) == .unknownType)
        #expect(try signed(statement.replacing("export:v1", with: "export:v2")) == .unknownType)
        #expect(try signed(statement.replacing("\"requester\"", with: "\"asker\"")) == .malformed)
        // The subject and the predicate name different files.
        let subject = #""sha256":"\#(Self.digest)"}"#
        #expect(try signed(statement.replacing(subject, with: #""sha256":"00"}"#)) == .malformed)
        for (member, value) in [("size", "-1"), ("rows", "-1"), ("sheets", "3"), ("sheets", "1e400")] {
            let changed = statement.replacing(try Regex("\"\(member)\":[0-9]+"), with: "\"\(member)\":\(value)")
            #expect(changed != statement && (try? signed(changed)) == .malformed, "\(member) \(value)")
        }
        #expect(try signed(statement.replacing(#""epoch":1"#, with: #""epoch":1,"epoch":2"#)) == .malformed)
        #expect(
            try signed(statement.replacing(#""subject":["#, with: #""subject":[{"name":"x","digest":{}},"#)) == .malformed)
    }

    @Test(
        "A receipt that different readers would read differently is refused; a signature of another kind beside ours is no obstacle"
    )
    func readers() throws {
        let json = try Self.receipt().envelope.json
        let keys = [Self.key.verificationKey]
        func accepts(_ text: String) -> Bool { (try? Receipt(json: Data(text.utf8)).verify(keys)) != nil }
        #expect(accepts(json) && accepts(json + "\n"))
        for member in [
            #","payload":"e30="}"#, #","payloadType":"x"}"#, #","signatures":[]}"#, ##","p\u0061yload":"e30="}"##,
        ] {
            #expect(!accepts(json.dropLast() + member), "\(member)")
        }
        #expect((try? Receipt(json: try #require(json.data(using: .utf16LittleEndian))).verify(keys)) == nil)
        // Other texts of the same bytes.
        let payload = try Self.receipt().envelope.payload
        for other in ["\(payload)====", " \(payload)", "\(payload)\\n", String(payload.prefix { $0 != "=" })]
        where other != payload {
            #expect(!accepts(json.replacing(payload, with: other)), "\(other.suffix(8))")
        }
        let foreign = try Self.edited(Self.receipt()) { envelope in
            envelope["signatures"] =
                [["sig": Data(count: 71).base64EncodedString()]] + (envelope["signatures"] as? [Any] ?? [])
        }
        #expect(try Receipt(json: foreign).verify(keys).key == keys[0])
    }

    @Test("A message repeats only the beginning of a text from the receipt")
    func messages() throws {
        let long = String(repeating: "x", count: 100_000)
        for edit in ["payloadType", "keyid"] {
            let json = try Self.edited(Self.receipt()) { envelope in
                if edit == "keyid" {
                    envelope["signatures"] = [["keyid": long, "sig": Data(count: 64).base64EncodedString()]]
                } else {
                    envelope[edit] = long
                }
            }
            let fault = Self.refusal { _ = try Receipt(json: json).verify([Self.other.verificationKey]) }
            #expect(fault.map { $0.description.utf8.count < 500 } == true)
        }
    }

    @Test("A file of another digest is refused, with the sizes if these differ")
    func otherFile() throws {
        let proof = try Self.receipt().verify([Self.key.verificationKey])
        try proof.check(size: 6_921, sha256: Self.digest)
        let changed = Self.refusal { try proof.check(size: 6_921, sha256: String(repeating: "ac", count: 32)) }
        #expect(changed?.code == .otherFile && changed?.description.contains(Self.digest) == true)
        let longer = Self.refusal { try proof.check(size: 6_922, sha256: String(repeating: "ac", count: 32)) }
        #expect(longer?.code == .otherFile && longer?.description.contains("more than 6921 bytes") == true)
        #expect(Self.refusal { try proof.check(size: 6_920, sha256: Self.digest) }?.code == .otherFile)
    }

    @Test(
        "Times have milliseconds, and the rest is left out",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_700_000_000_007_999, "2023-11-14T22:13:20.007Z"),
            (1_700_000_000_999_999, "2023-11-14T22:13:20.999Z"),
        ] as [(Int, String)])
    func times(_ microseconds: Int, _ text: String) {
        #expect(EvidenceTime.text(microseconds: microseconds) == text)
        #expect(EvidenceTime.microseconds(exact: EvidenceTime.exactText(microseconds: microseconds)) == microseconds)
        #expect(EvidenceTime.microseconds(exact: text) == nil)
    }
}
