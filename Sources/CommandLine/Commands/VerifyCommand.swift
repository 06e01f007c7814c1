internal import ArgumentParser
private import Crypto
private import Evidence
private import Foundation

/// Verifies a workbook and its receipt, without the service.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Verify that a workbook is the one that a receipt describes, and print who requested it and when.",
        discussion: """
            The command needs neither the service nor a network. It needs the public key of the service, which you must have from its \
            operators and not together with the receipt. The exit status is 0 only if the signature is valid and the file is unchanged.
            """)

    @Argument(help: "The workbook, as it was downloaded.", completion: .file(extensions: ["xlsx"]))
    var file: String

    @Argument(help: "The receipt.", completion: .file(extensions: ["json"]))
    var receipt: String

    @Option(
        help: ArgumentHelp(
            "A public key in PEM format. May be repeated. (default: all keys in \(KeyFolder.standard))", valueName: "file"),
        completion: .file(extensions: ["pem"]))
    var key: [String] = []

    @Flag(help: "Print the result as JSON.")
    var json = false

    func run() throws {
        do {
            let (proof, keyFile) = try verify()
            try json ? Output.json(Verified(proof)) : Output.result(VerificationReport(file, proof, keyFile: keyFile).text)
        } catch let fault as EvidenceFault {
            Output.message("not verified: \(fault)")
            throw ExitCode(ExitStatus.failed.rawValue)
        } catch let failure as CommandFailure {
            Output.message(failure.message)
            throw ExitCode(failure.status.rawValue)
        }
    }

    private func verify() throws(EvidenceFault) -> (Receipt.Proof, keyFile: String) {
        let keys = try KnownKeys.load(key)
        let bytes = try Self.bytes(of: receipt)
        let proof: Receipt.Proof
        do {
            proof = try Receipt(json: bytes).verify(keys.map(\.key))
        } catch {
            throw EvidenceFault(error.code, "the receipt \(receipt) is not valid: \(error)")
        }
        let (size, sha256) = try Self.digest(of: file, maxBytes: proof.predicate.manifest.size)
        do {
            try proof.check(size: size, sha256: sha256)
        } catch {
            throw EvidenceFault(error.code, "\(file) does not match the receipt: \(error)")
        }
        return (proof, keys.first { $0.key == proof.key }?.path ?? "")
    }

    private static func bytes(of path: String) throws(EvidenceFault) -> Data {
        do {
            var file = try InputFile(path, .regularOrPipe)
            guard let bytes = try file.contents(maxBytes: Envelope.maxBytes) else {
                throw EvidenceFault(.malformed, "\(path) is longer than any receipt; name the file that adminexport saved")
            }
            return Data(bytes)
        } catch let error as InputFile.Unreadable {
            throw EvidenceFault(.malformed, "the receipt \(path) cannot be read: \(error.reason)")
        } catch let fault as EvidenceFault {
            throw fault
        } catch {
            throw EvidenceFault(.malformed, "the receipt \(path) cannot be read")
        }
    }

    /// - Parameter maxBytes: what follows is not read: the file is another one.
    private static func digest(of path: String, maxBytes: Int) throws(EvidenceFault) -> (size: Int, sha256: String) {
        do throws(InputFile.Unreadable) {
            var file = try InputFile(path, .regular)
            var (hash, size) = (SHA256(), 0)
            while size <= maxBytes {
                let part = try file.read(upTo: 1 << 20)
                if part.isEmpty { break }
                hash.update(data: part)
                size += part.count
            }
            return (size, hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
        } catch {
            throw EvidenceFault(.otherFile, "the file \(path) cannot be read: \(error.reason)")
        }
    }

    private struct Verified: Encodable {
        struct Key: Encodable {
            let id: String
            let status: String
        }

        let key: Key
        let fileName: String
        let predicate: ExportPredicate

        init(_ proof: Receipt.Proof) {
            key = Key(id: proof.key.id, status: proof.key.status.rawValue)
            fileName = proof.fileName
            predicate = proof.predicate
        }
    }
}
