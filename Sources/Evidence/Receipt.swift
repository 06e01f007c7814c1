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

        /// Compares a file with the receipt.
        ///
        /// - Parameters:
        ///   - size: in bytes.
        ///   - sha256: in hexadecimal.
        /// - Throws: ``EvidenceFault/Code/otherFile``.
        package func check(size: Int, sha256: String) throws(EvidenceFault) {
            let manifest = predicate.manifest
            guard sha256 == manifest.sha256, size == manifest.size else {
                throw EvidenceFault(
                    .otherFile,
                    size == manifest.size
                        ? "the file was changed, or the receipt is about another file of the same size: the SHA-256 of the file is \(sha256), the receipt is about \(manifest.sha256)"
                        : "the file was changed, for example saved again, or the receipt is about another file: the file has \(size > manifest.size ? "more than \(manifest.size)" : "\(size)") bytes, the receipt is about \(manifest.size)"
                )
            }
        }
    }

    /// Whether a text is a SHA-256 in hexadecimal.
    private static func isDigest(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    /// Verifies the signature.
    ///
    /// - Throws: ``EvidenceFault``.
    package func verify(_ keys: [VerificationKey]) throws(EvidenceFault) -> Proof {
        let (statement, key) = try Statements.verify(
            envelope, type: ExportPredicate.type, as: ExportPredicate.self, keys)
        let manifest = statement.predicate.manifest
        guard statement.subject.count == 1, let subject = statement.subject.first,
            subject.digest["sha256"] == manifest.sha256, Self.isDigest(manifest.sha256), manifest.size >= 0,
            manifest.rows >= 0,
            manifest.sheets == statement.predicate.rowsPerSheet.count,
            manifest.columns.count == statement.predicate.facts.columnSources.count
        else {
            throw EvidenceFault(.malformed, "it is signed, but its parts contradict each other; tell the operators")
        }
        return Proof(fileName: subject.name, predicate: statement.predicate, key: key)
    }
}
