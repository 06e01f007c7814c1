private import Crypto
private import CryptoExtras
internal import Foundation

/// A public key with which signatures are verified: Ed25519 (RFC 8032).
package struct VerificationKey: Sendable, Hashable {
    /// Whether signatures by the key count.
    package enum Status: String, Sendable, CaseIterable {
        /// Workers sign with the key.
        case active
        /// Workers no longer sign with the key. Its signatures remain valid.
        case retired
        /// Somebody else may have the private key. No receipt that it has signed is valid.
        case revoked
    }

    private let raw: Data
    /// From the line `Status` beside the key; active without such a line.
    package let status: Status

    init(_ raw: Data, _ status: Status = .active) {
        self.raw = raw
        self.status = status
    }

    /// Reads the key from SubjectPublicKeyInfo in PEM format (RFC 8410, section 4), with an optional line `Status: …` beside it.
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
            let key = try Curve25519.Signing.PublicKey(pemRepresentation: pem.block)
            guard key.pemRepresentation.filter({ !$0.isNewline }) == pem.block.filter({ !$0.isNewline }) else {
                throw EvidenceFault(.unusableKey, "the key is not encoded as RFC 8410 requires")
            }
            raw = key.rawRepresentation
        } catch {
            throw EvidenceFault(.unusableKey, "the key is damaged, or is not an Ed25519 key")
        }
        guard !Self.weak.contains(Self.withoutSign(raw)) else {
            throw EvidenceFault(
                .unusableKey, "the key is weak: anybody can make a valid signature for it; get the key that make-key wrote")
        }
        guard let word = pem.status else {
            status = .active
            return
        }
        guard let status = Status(rawValue: word) else {
            throw EvidenceFault(
                .unusableKey,
                "the status \"\(word.prefix(80))\" is unknown; write Status: active, Status: retired or Status: revoked")
        }
        self.status = status
    }

    /// The encodings of points of small order (RFC 7748, section 6.1, on the curve of RFC 8032), without the sign of x: a signature for such a
    /// key needs no private key.
    private static let weak: Set<[UInt8]> = {
        let zeros = [UInt8](repeating: 0, count: 31)
        // 2^255 - 19 + n, in little endian.
        func prime(plus n: Int) -> [UInt8] {
            [UInt8(0xED + n)] + [UInt8](repeating: 0xFF, count: 30) + [0x7F]
        }
        let order8: [UInt8] = [
            0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0, 0xD5, 0xDF, 0xAC,
            0x05,
            0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
        ]
        let otherOrder8: [UInt8] = [
            0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F, 0x2A, 0x20, 0x53,
            0xFA,
            0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
        ]
        return [[0] + zeros, [1] + zeros, order8, otherOrder8, prime(plus: -1), prime(plus: 0), prime(plus: 1)]
    }()

    private static func withoutSign(_ raw: Data) -> [UInt8] {
        var bytes = Array(raw)
        bytes[31] &= 0x7F
        return bytes
    }

    /// The SHA-256 of the key as SubjectPublicKeyInfo in DER, in hexadecimal. `openssl pkey -pubin -in FILE -outform DER | sha256sum`
    /// prints the same.
    package var id: String {
        SHA256.hash(data: key?.derRepresentation ?? raw).hexadecimal
    }

    /// SubjectPublicKeyInfo in PEM format, with a line end.
    package var pem: String { (key?.pemRepresentation ?? "") + "\n" }

    /// A file for people and programs: the status in words, and the key.
    package var file: String {
        "Public key of adminexport. It verifies receipts and checkpoints.\nStatus: \(status.rawValue)\n\(pem)"
    }

    /// The text of a file with this key and another status. Its other lines stay.
    package static func text(_ text: String, with status: Status) -> String { PEM.text(text, withStatus: status.rawValue) }

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
