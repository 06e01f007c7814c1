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

    @Test("A line beside a key states its status, in the file that the program writes and with other lines and line ends")
    func status() throws {
        let key = SigningKey().verificationKey
        for status in VerificationKey.Status.allCases {
            let written = key.with(status)
            #expect(try VerificationKey(pem: written.file) == written)
            let edited =
                "Old key: of 2025\r\nNote: a\r\nNote: b\r\n\r\n  STATUS : \(status.rawValue.capitalized)  \r\n"
                + key.pem.replacing("\n", with: "\r\n") + "\r\nend\r\n"
            #expect(try VerificationKey(pem: edited) == written)
            // A line that somebody appends counts, too.
            #expect(try VerificationKey(pem: key.pem + "Status: \(status.rawValue)\n") == written)
            // Another status, and the other lines as they were.
            let changed = VerificationKey.text(edited, with: .revoked)
            #expect(try VerificationKey(pem: changed) == key.with(.revoked) && changed.contains("Old key: of 2025"))
            #expect(try VerificationKey(pem: VerificationKey.text(key.pem, with: status)) == written)
        }
        #expect(key.with(.revoked) != key && key.with(.revoked).isSameKey(as: key) && key.with(.revoked).id == key.id)
        #expect(!key.isSameKey(as: SigningKey().verificationKey))
    }

    @Test(
        "A line that may revoke a key and is not the line for it is refused, and never ignored",
        arguments: [
            "Status=revoked", "# Status: revoked", "- Status: revoked", "Status revoked", "Stauts: revoked", "REVOKED",
            "State: retired",
            "Status\u{FF1A} revoked", "\u{200B}Status: revoked", "revoked on 2026-12-01", "Status: revoked\nStatus: active",
        ])
    func nearlyRevoked(_ line: String) {
        for text in ["\(line)\n\(ExampleKeys.publicPEM)", "\(ExampleKeys.publicPEM)\n\(line)\n"] {
            #expect(throws: EvidenceFault.self) { try VerificationKey(pem: text) }
        }
    }

    @Test("A key for which anybody can sign is refused", arguments: 0..<14)
    func weak(_ index: Int) throws {
        // The encodings of points of small order, with both signs of x.
        let encodings = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ]
        var bytes = stride(from: 0, to: 64, by: 2).map { place in
            UInt8(encodings[index / 2].dropFirst(place).prefix(2), radix: 16) ?? 0
        }
        if index % 2 == 1 { bytes[31] |= 0x80 }
        let der: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00] + bytes
        let pem = "-----BEGIN PUBLIC KEY-----\n\(Data(der).base64EncodedString())\n-----END PUBLIC KEY-----\n"
        let fault = #expect(throws: EvidenceFault.self) { try VerificationKey(pem: pem) }
        #expect(fault?.description.contains("anybody can make a valid signature") == true)
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
            // A program that verifies nothing uses the others.
            #expect(KeyFolder(path).content().keys.map(\.key) == keys && KeyFolder(path).content().faults.count == 1)
        }
        // A pipe without a writer, and a name that somebody has typed on another system.
        try FileManager.default.removeItem(atPath: "\(path)/z.pem")
        mkfifo("\(path)/z.pem", 0o600)
        #expect(throws: EvidenceFault.self) { try KeyFolder(path).load() }
        unlink("\(path)/z.pem")
        try keys[0].with(.revoked).file.write(toFile: "\(path)/Z.PEM", atomically: true, encoding: .utf8)
        #expect(try KeyFolder(path).load().count == 3)
        unlink("\(path)/Z.PEM")
        try FileManager.default.createDirectory(atPath: "\(path)/z.pem", withIntermediateDirectories: true)
        #expect(throws: EvidenceFault.self) { try KeyFolder(path).load() }
        #expect(throws: EvidenceFault.self) { try KeyFolder("\(path)/a.pem").load() }
    }
}
