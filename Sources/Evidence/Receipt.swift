package import Foundation

/// A signed statement about one workbook: who requested it, when, from what, with which filters, and its SHA-256.
package struct Receipt: Sendable {
    /// The signed text.
    package let envelope: Envelope

    /// Signs a statement about a workbook.
    ///
    /// - Parameter fileName: the name that the service gives the file.
    package init(_ predicate: ExportPredicate, fileName: String, by key: SigningKey) throws {
        let subject = Statement<ExportPredicate>.Subject(name: fileName, sha256: predicate.manifest.sha256)
        envelope = try Statements.sign(
            Statement(subject: subject, predicateType: ExportPredicate.type, predicate: predicate), by: key)
    }

    /// Reads a receipt, and verifies nothing yet.
    ///
    /// - Throws: ``EvidenceFault/Code/malformed``.
    package init(json: Data) throws(EvidenceFault) {
        envelope = try Envelope(json: json)
    }

    /// What a receipt proves: a key has signed this description of a file.
    package struct Proof: Sendable {
        /// The name that the service gave the file.
        package let fileName: String
        /// The description of the file.
        package let predicate: ExportPredicate
        /// The key that signed: active or retired.
        package let key: VerificationKey
        /// The statement, as it was signed: JSON.
        package let statement: [UInt8]

        /// Compares a file with the receipt.
        ///
        /// - Parameters:
        ///   - size: in bytes.
        ///   - sha256: in hexadecimal.
        /// - Throws: ``EvidenceFault/Code/otherFile``.
        package func check(size: Int, sha256: String) throws(EvidenceFault) {
            let manifest = predicate.manifest
            guard sha256 == manifest.sha256 else {
                throw EvidenceFault(
                    .otherFile,
                    size == manifest.size
                        ? "the file was changed, or the receipt is about another file of the same size: the SHA-256 of the file is \(sha256), the receipt is about \(manifest.sha256)"
                        : "the file was changed, for example saved again, or the receipt is about another file: the file has \(size) bytes, the receipt is about \(manifest.size) bytes"
                )
            }
        }
    }

    /// Verifies the signature.
    ///
    /// - Throws: ``EvidenceFault``.
    package func verify(_ keys: [VerificationKey]) throws(EvidenceFault) -> Proof {
        let (statement, payload, key) = try Statements.verify(
            envelope, type: ExportPredicate.type, as: ExportPredicate.self, keys)
        guard statement.subject.count == 1, let subject = statement.subject.first,
            subject.digest["sha256"] == statement.predicate.manifest.sha256
        else {
            throw EvidenceFault(.malformed, "it is signed, but its parts contradict each other; tell the operators")
        }
        return Proof(fileName: subject.name, predicate: statement.predicate, key: key, statement: payload)
    }
}
