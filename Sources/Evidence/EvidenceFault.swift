/// Why a key cannot be used, or why a receipt is not valid.
///
/// Values of the receipt, such as a key's id, can be in the sentence. Escape it before it reaches a terminal.
package struct EvidenceFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// What a program can decide by.
    package enum Code: String, Sendable, CaseIterable {
        /// A text is not a key, or not one that can be used.
        case unusableKey = "unusable-key"
        /// There is no key to verify with.
        case noKey = "no-key"
        /// The receipt is not an envelope with a statement.
        case malformed
        /// The statement has a type or a version that this program does not know.
        case unknownType = "unknown-type"
        /// No known key has made a signature.
        case unknownKey = "unknown-key"
        /// The signature was made for other bytes, or by another key than the one that it names.
        case wrongSignature = "wrong-signature"
        /// Only a revoked key has made a signature.
        case revokedKey = "revoked-key"
        /// Checkpoints of the audit trail are missing or replaced.
        case brokenChain = "broken-chain"
        /// The receipt is about another file.
        case otherFile = "other-file"
    }

    /// For programs.
    package let code: Code
    /// A sentence without a period: what is wrong and what to do.
    package let description: String

    /// A fault of this kind.
    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
