import AdminExportAPI
import AdminExportClient
import Evidence
import Foundation
import Testing
import TestSupport

/// Receipts, from the key to the verification of a workbook.
@Suite(.timeLimit(.minutes(10)), .serialized) struct ReceiptTests {
    private static let openssl = "/usr/bin/openssl"

    private func serve(_ body: (ServiceProcess, SigningKeys) async throws -> Void) async throws {
        try await ServiceProcess.withKeys { service, keys in
            try await body(service, keys)
            let secret = try String(contentsOfFile: keys.credentials + "/signing-key", encoding: .utf8)
            let line = try #require(secret.split(separator: "\n").dropFirst().first)
            #expect(!service.log.contains(line), "the log contains the private key")
        }
    }

    private func verify(_ service: ServiceProcess, _ file: String, _ receipt: String, _ keys: [String]) async throws
        -> Finished
    {
        try await Programs.run(
            "adminexport", ["verify", file, receipt] + keys.flatMap { ["--key", $0] }, folder: service.folder)
    }

    private func receiptError(_ client: Client, _ actor: ActorName, _ job: String) async -> ClientError? {
        await failure { _ = try await client.call(ExportReceipt.self, .init(actor: actor, job: job)) }
    }

    @Test("A workbook and its receipt are verified in words; another file, receipt or key is refused with a reason")
    func verification() async throws {
        try await serve { service, keys in
            let key = try keys.files()
            let run = try await service.run(["run", "-q", "--receipt", "--include-about", "-o", "a.xlsx"])
            try #require(run.status == 0, "\(run.errors)")
            #expect(run.output == "a.xlsx\na.xlsx.receipt.json\n")
            let verified = try await verify(service, "a.xlsx", "a.xlsx.receipt.json", key)
            #expect(verified.status == 0, "\(verified.errors)")
            for words in [
                "Verified: a.xlsx is the workbook", "owner@acme.example", "all accounts of the tenant",
                "enabled accounts only", "6 accounts", "Administrators (6)", "Name, Email", key[0],
            ] { #expect(verified.output.contains(words), "\(words) is missing in \(verified.output)") }
            // The receipt says what the job says.
            let client = try service.client()
            let job = try #require(
                try await client.call(ExportList.self, .init(actor: ServiceProcess.owner)).jobs.first)
            let parsed = try await Programs.run(
                "adminexport", ["verify", "a.xlsx", "a.xlsx.receipt.json", "--json", "--key", key[0]], folder: service.folder
            )
            struct Verified: Decodable {
                let fileName: String
                let predicate: ExportPredicate
            }
            let proof = try JSONDecoder().decode(Verified.self, from: Data(parsed.output.utf8))
            #expect(
                job.hasReceipt == true && proof.fileName == job.fileName && proof.predicate.manifest.sha256 == job.sha256)
            #expect(proof.predicate.manifest.job == job.id && proof.predicate.facts.requestedAt == job.createdAt)
            #expect(proof.predicate.manifest.columns == job.columns && proof.predicate.manifest.rows == job.rows)
            #expect(proof.predicate.rowsPerSheet.map(\.name) == ["Administrators", "About this export"])
            #expect(proof.predicate.facts.columnSources.count == job.columns?.count)
            #expect(
                try await service.database.text("SELECT value FROM adminexport.setting WHERE key = 'installation_id'")
                    == proof.predicate.facts.installation)

            let other = try await service.run(["run", "-q", "--receipt", "--include-disabled", "-o", "b.xlsx"])
            try #require(other.status == 0, "\(other.errors)")
            let stranger = SigningKeys(folder: service.folder + "/stranger")
            _ = try await stranger.make()
            let file = try Data(contentsOf: URL(filePath: service.folder + "/a.xlsx"))
            let receipt = try Data(contentsOf: URL(filePath: service.folder + "/a.xlsx.receipt.json"))
            var flipped = file
            flipped[flipped.count / 2] ^= 1
            for (name, bytes) in [
                ("flipped.xlsx", flipped), ("short.xlsx", file.dropLast()), ("cut.json", receipt.prefix(receipt.count / 2)),
                ("empty.json", Data()),
            ] { try bytes.write(to: URL(filePath: "\(service.folder)/\(name)")) }
            for (workbook, receipt, keys, reason) in [
                ("flipped.xlsx", "a.xlsx.receipt.json", key, "was changed"),
                ("short.xlsx", "a.xlsx.receipt.json", key, "the file has \(file.count - 1) bytes"),
                ("a.xlsx", "b.xlsx.receipt.json", key, "does not match the receipt"),
                ("b.xlsx", "a.xlsx.receipt.json", key, "does not match the receipt"),
                ("a.xlsx", "a.xlsx.receipt.json", try stranger.files(), "none of the known keys has signed it"),
                ("a.xlsx", "cut.json", key, "not a DSSE envelope"), ("a.xlsx", "empty.json", key, "not a DSSE envelope"),
                ("a.xlsx", "a.xlsx", key, "not a DSSE envelope"), ("a.xlsx", "none.json", key, "cannot be read"),
                ("none.xlsx", "a.xlsx.receipt.json", key, "cannot be read"),
                (".", "a.xlsx.receipt.json", key, "cannot be read"), ("a.xlsx", ".", key, "cannot be read"),
                ("a.xlsx", "a.xlsx.receipt.json", ["none.pem"], "none.pem cannot be read"),
                ("a.xlsx", "a.xlsx.receipt.json", [stranger.credentials + "/signing-key"], "only workers may have"),
                ("a.xlsx", "a.xlsx.receipt.json", ["a.xlsx"], "not a key in PEM format"),
            ] {
                let refused = try await verify(service, workbook, receipt, keys)
                #expect(refused.status == 1 && refused.output.isEmpty, "\(workbook) \(receipt) \(keys): \(refused)")
                #expect(
                    refused.errors.hasPrefix("adminexport: not verified: ") && refused.errors.contains(reason),
                    "\(refused.errors)")
                #expect(refused.errors.filter(\.isNewline).count == 1, "\(refused.errors)")
            }
            if !FileManager.default.fileExists(atPath: KeyFolder.standard) {
                let keyless = try await verify(service, "a.xlsx", "a.xlsx.receipt.json", [])
                #expect(keyless.status == 1 && keyless.errors.contains("no public key in \(KeyFolder.standard)"))
            }
        }
    }

    @Test(
        "OpenSSL verifies the signature of a receipt, and refuses it for other bytes",
        .enabled(if: FileManager.default.isExecutableFile(atPath: openssl)))
    func openSSL() async throws {
        try await serve { service, keys in
            let job = try await service.export()
            let receipt = try await service.client().call(
                ExportReceipt.self, .init(actor: ServiceProcess.owner, job: job.id)
            ).receipt
            let payload = try #require(Data(base64Encoded: receipt.payload))
            let signature = try #require(Data(base64Encoded: receipt.signatures[0].sig))
            // Made here, so that the program's own encoding is not its own judge.
            let message =
                Data("DSSEv1 \(receipt.payloadType.utf8.count) \(receipt.payloadType) \(payload.count) ".utf8) + payload
            func verifies(_ message: Data) async throws -> Bool {
                try message.write(to: URL(filePath: service.folder + "/message"))
                try signature.write(to: URL(filePath: service.folder + "/signature"))
                return try await Programs.run(
                    Self.openssl,
                    [
                        "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", try keys.files()[0], "-in", "message",
                        "-sigfile", "signature",
                    ],
                    folder: service.folder
                ).status == 0
            }
            #expect(try await verifies(message))
            for index in [0, 10, message.count / 2, message.count - 1] {
                var changed = message
                changed[index] ^= 4
                #expect(try await !verifies(changed))
            }
            // The id of the key is what its documentation says.
            let printed = try await Programs.run(
                "/bin/sh", ["-c", "openssl pkey -pubin -in \"$0\" -outform DER | sha256sum", try keys.files()[0]])
            #expect(printed.output.hasPrefix(receipt.signatures[0].keyid))
        }
    }

    @Test("Who may not have the workbook now does not get its receipt; after the workbook has expired, its actor does")
    func permission() async throws {
        try await serve { service, _ in
            let client = try service.client()
            let (owner, europe) = (ServiceProcess.owner, ServiceProcess.europe)
            let (all, some) = (try await service.export(owner), try await service.export(europe))
            #expect(await receiptError(client, owner, all.id) == nil)
            #expect(await receiptError(client, europe, some.id) == nil)
            #expect(await receiptError(client, europe, all.id)?.kind == "not-found")
            // Its groups are in the receipt, in words.
            let json = try await service.run(["receipt", some.id, "-o", "-"], as: europe)
            let envelope = try JSONDecoder().decode(StatementEnvelope.self, from: Data(json.output.utf8))
            let statement = String(decoding: Data(base64Encoded: envelope.payload) ?? Data(), as: UTF8.self)
            #expect(
                statement.contains(#""scope":{"groupKeys":["1"],"groups":["Europe"],"kind":"groups","otherGroups":"show"}"#),
                "\(statement)")

            _ = try await client.call(ExportDelete.self, .init(actor: owner, job: all.id))
            try await service.database.execute(
                "UPDATE adminexport.job SET expires_at = now() - interval '1 s' WHERE id = '\(some.id)'")
            #expect(await receiptError(client, owner, all.id) == nil)
            #expect(await receiptError(client, europe, some.id) == nil)
            let saved = try await service.run(["receipt", all.id])
            #expect(saved.output == "\(all.fileName ?? "").receipt.json\n", "\(saved)")
            #expect(try await service.run(["receipt", all.id]).status == 73)

            try await service.database.execute(
                "DELETE FROM directory.administrator_secondary_group WHERE administrator_id IN (SELECT id FROM directory.administrator WHERE email = 'europe@acme.example'); UPDATE directory.administrator SET main_group_id = NULL WHERE email = 'europe@acme.example'"
            )
            #expect(await receiptError(client, europe, some.id)?.reason == "scope-changed")
            try await service.database.execute(
                "UPDATE directory.administrator SET status = 'disabled' WHERE id = 1 AND email = 'owner@acme.example'")
            #expect(await receiptError(client, owner, all.id)?.reason == "administrator-disabled")
            // Each receipt is in the trail.
            #expect(
                try await service.database.text(
                    "SELECT string_agg(concat(actor_email, ' ', job), ', ' ORDER BY id) FROM adminexport.audit_event WHERE event = 'receipt-fetched'"
                )
                    == [
                        ("owner", all), ("europe", some), ("europe", some), ("owner", all), ("europe", some), ("owner", all),
                    ]
                    .map { "\($0.0)@acme.example \($0.1.id)" }.joined(separator: ", "))
        }
    }

    @Test("A workbook without a receipt is told apart by its reason, and run --receipt does not begin an export in vain")
    func none() async throws {
        try await SigningKeys.with { keys in
            // Without a folder of keys, there is none.
            try await ServiceProcess.with { service in
                let client = try service.client()
                let job = try await service.export()
                #expect(job.hasReceipt == false)
                let error = await receiptError(client, ServiceProcess.owner, job.id)
                #expect(error?.code == .service(code: 1008, kind: "not-configured") && error?.reason == "no-key")
                let run = try await service.run(["run", "--receipt"])
                #expect(run.status == 1 && run.errors.contains("no active signing key"), "\(run)")
                #expect(try await client.call(ExportList.self, .init(actor: ServiceProcess.owner)).jobs.count == 1)
                let started = try await client.call(
                    ExportStart.self, .init(actor: ServiceProcess.owner, includeDisabled: true)
                ).job
                _ = try await client.call(ExportCancel.self, .init(actor: ServiceProcess.owner, job: started.id))
            }
            // The service knows the keys, and its worker has none.
            try await ServiceProcess.with(environment: ["ADMINEXPORT_SIGNING_PUBLIC_KEYS": keys.publicKeys]) { service in
                let client = try service.client()
                let job = try await service.export()
                let error = await receiptError(client, ServiceProcess.owner, job.id)
                #expect(error?.code == .service(code: 1008, kind: "not-configured") && error?.reason == "made-before")
                let info = try await client.call(ServiceInfo.self, NoMembers())
                #expect(info.capabilities.contains("receipts"))
                #expect(info.signingKeys?.map(\.status) == [.active])
                #expect(try info.signingKeys?.map(\.publicKey) == KeyFolder(keys.publicKeys).load().map(\.key.file))
                // A reload reads the folder again, and omits a file that contains no key.
                try keys.setStatus(.revoked, of: keys.files()[0])
                kill(service.process.processIdentifier, SIGHUP)
                try await eventually("the status is applied") {
                    try await client.call(ServiceInfo.self, NoMembers()).signingKeys?.map(\.status) == [.revoked]
                }
                #expect(await receiptError(client, ServiceProcess.owner, job.id)?.reason == "no-key")
                try "none".write(toFile: keys.publicKeys + "/broken.pem", atomically: true, encoding: .utf8)
                kill(service.process.processIdentifier, SIGHUP)
                try await eventually("the warning is logged") { service.log.contains("broken.pem") }
                #expect(try await client.call(ServiceInfo.self, NoMembers()).signingKeys?.map(\.status) == [.revoked])
            }
        }
    }

    @Test("make-key keeps an existing key, replaces it on request, and retires its public key; files have the right modes")
    func makeKey() async throws {
        try await SigningKeys.with { keys in
            func mode(_ path: String) throws -> Int? {
                try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            }
            let (secret, first) = (keys.credentials + "/signing-key", try keys.files()[0])
            #expect(try mode(secret) == 0o600 && mode(keys.credentials) == 0o700 && mode(first) == 0o644)
            let before = try String(contentsOfFile: secret, encoding: .utf8)
            let again = try await keys.make()
            #expect(again.status == 78 && again.errors.contains("--replace") && again.output.isEmpty)
            #expect(try String(contentsOfFile: secret, encoding: .utf8) == before)
            let replaced = try await keys.make("--replace")
            #expect(replaced.status == 0 && replaced.output.contains("Retired:     \(first)"), "\(replaced)")
            let loaded = try KeyFolder(keys.publicKeys).load()
            #expect(loaded.count == 2 && loaded.first { $0.path == first }?.key.status == .retired)
            let key = try SigningKey(pem: String(contentsOfFile: secret, encoding: .utf8))
            #expect(loaded.contains { $0.key == key.verificationKey } && !replaced.output.contains(key.pem))
            #expect(try FileManager.default.contentsOfDirectory(atPath: keys.credentials) == ["signing-key"])
            // What is no key is not replaced.
            try "password".write(toFile: secret, atomically: true, encoding: .utf8)
            let refused = try await keys.make("--replace")
            #expect(refused.status == 78 && !refused.errors.contains("password"), "\(refused)")
        }
    }

    @Test(
        "A worker does not start with a key that cannot be used or does not count; a process without workers never reads it")
    func unusable() async throws {
        try await SigningKeys.with { keys in
            func end(_ workers: Int) async throws -> String {
                try await TestDatabase.with { database in
                    try await TemporaryFolder.with { folder in
                        let service = try ServiceProcess.start(
                            database, folder,
                            environment: keys.environment.merging(["ADMINEXPORT_WORKERS": "\(workers)"]) { $1 })
                        if workers == 0 {
                            try await service.waitUntilServing()
                            service.process.terminate()
                        }
                        await service.process.end()
                        #expect(service.process.terminationStatus == (workers == 0 ? 0 : 78))
                        return service.log
                    }
                }
            }
            for status in [VerificationKey.Status.retired, .revoked] {
                try keys.setStatus(status, of: keys.files()[0])
                #expect(try await end(1).contains("which is \(status)"))
            }
            try "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n".write(
                toFile: keys.credentials + "/signing-key", atomically: true, encoding: .utf8)
            let log = try await end(1)
            #expect(log.contains("the credential signing-key cannot be used") && !log.contains("SECRET"))
            #expect(try await !end(0).contains("signing-key"))
        }
    }
}
