private import Foundation
private import JSONRPC

/// What an envelope says: an in-toto Statement (github.com/in-toto/attestation, spec/v1/statement.md).
package struct Statement<Predicate: Codable & Sendable>: Codable, Sendable {
    /// What the statement is about.
    package struct Subject: Codable, Sendable, Hashable {
        /// The name of a file.
        package let name: String
        /// Digests in hexadecimal by the name of their algorithm.
        package let digest: [String: String]

        /// A file with this SHA-256.
        package init(name: String, sha256: String) {
            self.name = name
            digest = ["sha256": sha256]
        }
    }

    /// What the statement is about.
    package let subject: [Subject]
    /// The kind and the version of the predicate, as a URI.
    package let predicateType: String
    /// What the statement says about it.
    package let predicate: Predicate
    private let type: String

    private enum CodingKeys: String, CodingKey {
        case type = "_type"
        case subject, predicateType, predicate
    }

    /// A statement about a file.
    package init(subject: Subject, predicateType: String, predicate: Predicate) {
        type = Statements.type
        self.subject = [subject]
        self.predicateType = predicateType
        self.predicate = predicate
    }
}

/// How statements are signed and verified, whatever they say.
package enum Statements {
    /// The media type of a statement in an envelope.
    package static let payloadType = "application/vnd.in-toto+json"
    static let type = "https://in-toto.io/Statement/v1"

    private struct Head: Decodable {
        let _type: String
        let predicateType: String
    }

    /// Signs a statement.
    package static func sign(_ statement: Statement<some Codable & Sendable>, by key: SigningKey) throws -> Envelope {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try Envelope(signing: Array(encoder.encode(statement)), type: payloadType, by: key)
    }

    /// Verifies an envelope, and reads the statement in it.
    ///
    /// - Parameter type: the predicate's type. Another type, such as a later version, is refused.
    /// - Throws: ``EvidenceFault``.
    package static func verify<Predicate>(
        _ envelope: Envelope, type: String, as _: Predicate.Type, _ keys: [VerificationKey]
    ) throws(EvidenceFault) -> (statement: Statement<Predicate>, key: VerificationKey) {
        try checkType(of: envelope)
        let (payload, key) = try envelope.verify(keys)
        return (try statement(payload, type, Predicate.self), key)
    }

    /// Reads the statement in an envelope, and verifies nothing.
    ///
    /// - Throws: ``EvidenceFault``.
    package static func read<Predicate>(
        _ envelope: Envelope, type: String, as _: Predicate.Type
    ) throws(EvidenceFault) -> Statement<Predicate> {
        try checkType(of: envelope)
        return try statement(envelope.bytes(), type, Predicate.self)
    }

    private static func checkType(of envelope: Envelope) throws(EvidenceFault) {
        guard envelope.payloadType == payloadType else {
            throw EvidenceFault(
                .unknownType,
                "its content is of the type \"\(Envelope.excerpt(envelope.payloadType))\" instead of \(payloadType)")
        }
    }

    private static func statement<Predicate>(
        _ payload: [UInt8], _ type: String, _: Predicate.Type
    ) throws(EvidenceFault) -> Statement<Predicate> {
        let data = Data(payload)
        // Strict: another reader must not find other members with the same names.
        guard (try? JSONDocument(scanning: payload, values: 1_000_000)) != nil else {
            throw EvidenceFault(.malformed, "it is signed, but its content is not JSON, or has a member twice")
        }
        guard let head = try? JSONDecoder().decode(Head.self, from: data), head._type == Self.type else {
            throw EvidenceFault(.unknownType, "it is signed, but is not an in-toto statement of version 1")
        }
        guard head.predicateType == type else {
            throw EvidenceFault(
                .unknownType,
                "it is signed, but says something that this program does not know (\"\(Envelope.excerpt(head.predicateType))\" instead of \(type)); install a newer adminexport"
            )
        }
        do {
            return try JSONDecoder().decode(Statement<Predicate>.self, from: data)
        } catch {
            throw EvidenceFault(
                .malformed, "it is signed, but lacks members of \(type), or has some that this program cannot read")
        }
    }
}
