private import Crypto
private import CryptoExtras
private import Foundation

/// The private key with which a worker signs: Ed25519 (RFC 8032).
package struct SigningKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey

    /// A new key, from the system's random numbers.
    package init() {
        key = Curve25519.Signing.PrivateKey()
    }

    /// Reads the key from PKCS #8 in PEM format (RFC 8410, section 7).
    ///
    /// - Throws: ``EvidenceFault/Code/unusableKey``, without any part of the text.
    package init(pem text: String) throws(EvidenceFault) {
        let pem = try PEM(text)
        guard pem.label == "PRIVATE KEY" else {
            throw EvidenceFault(
                .unusableKey,
                pem.label == "ENCRYPTED PRIVATE KEY"
                    ? "the key is encrypted with a password; store it without one" : "it does not contain a private key")
        }
        do {
            key = try Curve25519.Signing.PrivateKey(pemRepresentation: pem.block)
        } catch {
            throw EvidenceFault(.unusableKey, "the key is damaged, or is not an Ed25519 key")
        }
        // The library accepts keys of other algorithms if they have the same length.
        guard key.pemRepresentation.filter({ !$0.isNewline }) == pem.block.filter({ !$0.isNewline }) else {
            throw EvidenceFault(.unusableKey, "the key is damaged, or is not an Ed25519 key")
        }
    }

    /// PKCS #8 in PEM format, with a line end.
    package var pem: String { key.pemRepresentation + "\n" }

    /// The public half, as an active key.
    package var verificationKey: VerificationKey { VerificationKey(key.publicKey.rawRepresentation) }

    /// A signature of 64 bytes.
    func signature(of message: [UInt8]) throws -> [UInt8] {
        Array(try key.signature(for: message))
    }
}
