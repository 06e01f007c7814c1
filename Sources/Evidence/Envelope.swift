package import Foundation
private import JSONRPC

/// A signed text: a DSSE envelope (github.com/secure-systems-lab/dsse, protocol.md and envelope.md, version 1.0.2).
package struct Envelope: Codable, Sendable, Hashable {
    /// One signature.
    package struct Signature: Codable, Sendable, Hashable {
        /// The id of the key that made the signature: a hint. See ``VerificationKey/id``.
        package let keyid: String?
        /// The signature in base64.
        package let sig: String
    }

    /// The signed bytes in base64.
    package let payload: String
    /// What the bytes are: a media type.
    package let payloadType: String
    /// At least one.
    package let signatures: [Signature]

    /// The maximum size of an envelope in bytes. A receipt with a thousand long column titles has less than 2 MiB.
    package static let maxBytes = 4 << 20
    private static let maxSignatures = 4

    /// Signs the bytes.
    package init(signing payload: [UInt8], type: String, by key: SigningKey) throws {
        let signature = try key.signature(of: Self.message(payload, type))
        self.payload = Data(payload).base64EncodedString()
        payloadType = type
        signatures = [Signature(keyid: key.verificationKey.id, sig: Data(signature).base64EncodedString())]
    }

    /// Reads an envelope. Members that it does not know are ignored, as DSSE demands.
    ///
    /// - Throws: ``EvidenceFault/Code/malformed``.
    package init(json: Data) throws(EvidenceFault) {
        guard json.count <= Self.maxBytes else {
            throw EvidenceFault(.malformed, "it is longer than any receipt; give the file that adminexport saved")
        }
        do {
            // Strict: another reader must not find other members with the same names.
            _ = try JSONDocument(scanning: Array(json))
            self = try JSONDecoder().decode(Envelope.self, from: json)
        } catch {
            throw EvidenceFault(
                .malformed,
                "it is not a DSSE envelope (a JSON object with payload, payloadType and signatures, each once), or it is cut off; fetch it again"
            )
        }
    }

    /// The envelope as JSON on one line. Equal envelopes give equal text, which is ASCII.
    package var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    /// What is signed: the pre-authentication encoding (PAE).
    static func message(_ payload: [UInt8], _ type: String) -> [UInt8] {
        Array("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
    }

    /// Verifies that one of the keys has signed the payload. The ids of keys are hints: all keys are tried.
    ///
    /// - Returns: the payload, and the key, which is active or retired.
    /// - Throws: ``EvidenceFault``.
    package func verify(_ keys: [VerificationKey]) throws(EvidenceFault) -> (payload: [UInt8], key: VerificationKey) {
        guard !keys.isEmpty else {
            throw EvidenceFault(.noKey, "there is no public key to verify it with")
        }
        let payload = try bytes()
        guard (1...Self.maxSignatures).contains(signatures.count) else {
            throw EvidenceFault(
                .malformed, signatures.isEmpty ? "it has no signature" : "it has more than \(Self.maxSignatures) signatures")
        }
        let message = Self.message(payload, payloadType)
        var decoded: [[UInt8]] = []
        // Signatures of other kinds are no obstacle.
        for signature in signatures {
            if let bytes = Self.bytes(signature.sig), bytes.count == 64 { decoded.append(bytes) }
        }
        guard !decoded.isEmpty else {
            throw EvidenceFault(.malformed, "it has no Ed25519 signature: it was changed or is cut off")
        }
        let signers = keys.filter { key in decoded.contains { key.verifies($0, of: message) } }
        let revoked = keys.filter { $0.status == .revoked }
        // The same key may be in two files; one that revokes it is enough.
        if let signer = signers.first(where: { signer in !revoked.contains { $0.isSameKey(as: signer) } }) {
            return (payload, signer)
        }
        if let signer = signers.first {
            throw EvidenceFault(
                .revokedKey,
                "it is signed by the key \(signer.id), which is revoked: somebody else may have made it; ask the operators for other evidence"
            )
        }
        let hints = signatures.compactMap { $0.keyid.map(Self.excerpt) }
        if keys.contains(where: { hints.contains($0.id) }) {
            throw EvidenceFault(
                .wrongSignature,
                "its signature does not belong to its content: the content or the signature was changed, or another key made it"
            )
        }
        throw EvidenceFault(
            .unknownKey,
            "none of the known keys has signed it\(hints.isEmpty ? "" : "; it names the key \(hints.joined(separator: ", "))"); get the public key from the operators of the service, not together with the receipt"
        )
    }

    /// The beginning of a text from outside, for a message.
    static func excerpt(_ text: String) -> String { text.utf8.count > 100 ? text.prefix(80) + "…" : text }

    /// The signed bytes.
    ///
    /// - Throws: ``EvidenceFault/Code/malformed``.
    func bytes() throws(EvidenceFault) -> [UInt8] {
        guard let bytes = Self.bytes(payload) else {
            throw EvidenceFault(.malformed, "its payload is not base64: it was changed or is cut off")
        }
        return bytes
    }

    /// Decodes standard and URL-safe base64, both of which DSSE allows. There is one text for the same bytes in each of them.
    private static func bytes(_ text: String) -> [UInt8]? {
        let text = text.replacing("-", with: "+").replacing("_", with: "/")
        guard let data = Data(base64Encoded: text), data.base64EncodedString() == text else { return nil }
        return Array(data)
    }
}
