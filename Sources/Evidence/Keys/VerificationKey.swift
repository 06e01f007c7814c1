private import Crypto
private import CryptoExtras
internal import Foundation

/// A public key with which signatures are verified: Ed25519 (RFC 8032).
package struct VerificationKey: Sendable, Hashable {
    /// Whether signatures by the key count.
    package enum Status: String, Sendable, CaseIterable {
        /// Workers sign with the key.
        case active
        /// Workers do not sign with the key any more. What it has signed counts.
        case retired
        /// Somebody else may have the private key. Nothing that it has signed counts.
        case revoked
    }

    private let raw: Data
    /// From the line `Status` before the key; active without such a line.
    package let status: Status

    init(_ raw: Data, _ status: Status = .active) {
        self.raw = raw
        self.status = status
    }

    /// Reads the key from SubjectPublicKeyInfo in PEM format (RFC 8410, section 4), with an optional line `Status: …` before it.
    ///
    /// - Throws: ``EvidenceFault/Code/unusableKey``.
    package init(pem text: String) throws(EvidenceFault) {
        let pem = try PEM(text)
        guard pem.label == "PUBLIC KEY" else {
            throw EvidenceFault(
                .unusableKey,
                pem.label.hasSuffix("PRIVATE KEY")
                    ? "it contains a private key, which only workers may have; use the public key"
                    : "it does not contain a public key")
        }
        do {
            raw = try Curve25519.Signing.PublicKey(pemRepresentation: pem.block).rawRepresentation
        } catch {
            throw EvidenceFault(.unusableKey, "the key is damaged, or is not an Ed25519 key")
        }
        guard let word = pem.headers["status"] else {
            status = .active
            return
        }
        guard let status = Status(rawValue: word.lowercased()) else {
            throw EvidenceFault(
                .unusableKey, "the status \"\(word)\" is unknown; write Status: active, Status: retired or Status: revoked")
        }
        self.status = status
    }

    /// The SHA-256 of the key as SubjectPublicKeyInfo in DER, in hexadecimal. `openssl pkey -pubin -in FILE -outform DER | sha256sum`
    /// prints the same.
    package var id: String {
        SHA256.hash(data: key?.derRepresentation ?? raw).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    /// SubjectPublicKeyInfo in PEM format, with a line end.
    package var pem: String { (key?.pemRepresentation ?? "") + "\n" }

    /// A file for people and programs: the status in words, and the key.
    package var file: String {
        "Public key of adminexport, to verify receipts.\nStatus: \(status.rawValue)\n\(pem)"
    }

    /// The same key with another status.
    package func with(_ status: Status) -> VerificationKey { VerificationKey(raw, status) }

    /// Whether both are the same key, whatever their status is.
    package func isSameKey(as other: VerificationKey) -> Bool { raw == other.raw }

    func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        key?.isValidSignature(signature, for: message) ?? false
    }

    /// Every length of ``raw`` was checked when it was made.
    private var key: Curve25519.Signing.PublicKey? { try? Curve25519.Signing.PublicKey(rawRepresentation: raw) }
}
