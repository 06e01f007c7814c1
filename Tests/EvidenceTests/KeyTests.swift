import Foundation
import Testing

@testable import Evidence

/// The keys of RFC 8410, section 10, which belong together.
enum ExampleKeys {
    static let privatePEM = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
        -----END PRIVATE KEY-----
        """
    static let publicPEM = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
        -----END PUBLIC KEY-----
        """
    static let id = "a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f"
}

@Suite struct KeyTests {
    @Test("The private key of RFC 8410 has the public key of RFC 8410, and both are written as they were read")
    func rfc8410() throws {
        let key = try SigningKey(pem: ExampleKeys.privatePEM)
        let publicKey = try VerificationKey(pem: ExampleKeys.publicPEM)
        #expect(key.verificationKey == publicKey)
        #expect(key.pem == ExampleKeys.privatePEM + "\n" && publicKey.pem == ExampleKeys.publicPEM + "\n")
        #expect(publicKey.id == ExampleKeys.id && publicKey.status == .active)
    }

    @Test("The lines before a key state its status, in the file that the program writes and with other lines and line ends")
    func status() throws {
        let key = SigningKey().verificationKey
        for status in VerificationKey.Status.allCases {
            let written = key.with(status)
            #expect(try VerificationKey(pem: written.file) == written)
            let edited =
                "Old key: of 2025\r\n\r\n  STATUS : \(status.rawValue.capitalized)  \r\n"
                + key.pem.replacing("\n", with: "\r\n") + "\r\nend\r\n"
            #expect(try VerificationKey(pem: edited) == written)
        }
        #expect(key.with(.revoked) != key && key.with(.revoked).isSameKey(as: key) && key.with(.revoked).id == key.id)
        #expect(!key.isSameKey(as: SigningKey().verificationKey))
    }

    private static let x25519 = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VuBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
        -----END PRIVATE KEY-----
        """

    @Test(
        "A text that is not one usable private key is refused without a part of it",
        arguments: [
            "", "secret", ExampleKeys.publicPEM, ExampleKeys.privatePEM + "\n" + ExampleKeys.privatePEM, x25519,
            String(ExampleKeys.privatePEM.dropLast(30)), ExampleKeys.privatePEM.replacing("MC4C", with: "MC5C"),
            ExampleKeys.privatePEM.replacing("EdVhC", with: "EdV\u{e9}C"),
            ExampleKeys.privatePEM.replacing("PRIVATE", with: "ENCRYPTED PRIVATE"),
            ExampleKeys.privatePEM.replacing("PRIVATE", with: "RSA PRIVATE"),
        ])
    func badPrivate(_ text: String) {
        let fault = #expect(throws: EvidenceFault.self) { try SigningKey(pem: text) }
        #expect(fault?.code == .unusableKey)
        for part in ["secret", "MC", "EdV", "INTuctv5"] { #expect(fault?.description.contains(part) == false) }
    }

    private static let badKeys: [(text: String, reason: String)] = {
        let pem = ExampleKeys.publicPEM
        return [
            ("", "no key"), (ExampleKeys.privatePEM, "private key, which only workers may have"),
            ("\(pem)\n\(pem)", "more than one key"), (String(pem.dropLast(10)), "cut off"),
            (pem.replacing("PUBLIC KEY", with: "CERTIFICATE"), "does not contain a public key"),
            // X25519 (RFC 8410, section 3), and one byte less.
            (pem.replacing("MCowBQYDK2Vw", with: "MCowBQYDK2Vu"), "not an Ed25519 key"),
            (pem.replacing("ZuE=", with: "Zg=="), "damaged"),
            ("Status: lost\n\(pem)", "status \"lost\" is unknown"), ("Status: active\nStatus: revoked\n\(pem)", "twice"),
        ]
    }()

    @Test("A text that is not one usable public key is refused", arguments: badKeys)
    func badPublic(_ text: String, _ reason: String) {
        let fault = #expect(throws: EvidenceFault.self) { try VerificationKey(pem: text) }
        #expect(fault?.code == .unusableKey && fault?.description.contains(reason) == true, "\(fault?.description ?? "")")
    }

    @Test("A folder gives its keys in the order of the names; a file in it that cannot be used is a fault that names it")
    func folder() throws {
        let path = FileManager.default.temporaryDirectory.path + "/keys-\(UUID().uuidString)"
        #expect(try KeyFolder(path).load().isEmpty)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let keys = [SigningKey().verificationKey, SigningKey().verificationKey.with(.retired)]
        for (name, text) in [
            ("b.pem", keys[1].file), ("a.pem", keys[0].file), (".c.pem", "hidden"), ("d.pem.old", "old"), ("README", ""),
        ] {
            try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
        }
        #expect(try KeyFolder(path).load().map(\.key) == keys)
        #expect(try KeyFolder(path).load().map(\.path) == ["\(path)/a.pem", "\(path)/b.pem"])
        for (name, bytes) in [
            ("z.pem", Data("nothing".utf8)), ("z.pem", Data([0xFF, 0xFE])), ("z.pem", Data(count: 70_000)),
        ] {
            try bytes.write(to: URL(filePath: "\(path)/\(name)"))
            let fault = #expect(throws: EvidenceFault.self) { try KeyFolder(path).load() }
            #expect(fault?.code == .unusableKey && fault?.description.contains("\(path)/z.pem") == true)
        }
        try FileManager.default.removeItem(atPath: "\(path)/z.pem")
        try FileManager.default.createDirectory(atPath: "\(path)/z.pem", withIntermediateDirectories: true)
        #expect(throws: EvidenceFault.self) { try KeyFolder(path).load() }
        #expect(throws: EvidenceFault.self) { try KeyFolder("\(path)/a.pem").load() }
    }
}
