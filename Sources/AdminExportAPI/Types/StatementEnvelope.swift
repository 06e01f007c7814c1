/// A signed statement: a DSSE envelope (github.com/secure-systems-lab/dsse) around an in-toto statement.
///
/// Nobody should trust its content before the signature was verified, for example with `adminexport verify`.
public struct StatementEnvelope: WireObject, Hashable {
    /// One signature.
    public struct Signature: WireObject, Hashable {
        /// The id of the key that signed. Only a hint: a verifier takes keys from the operators.
        public let keyid: String
        /// The signature in base64.
        public let sig: String

        /// A signature and the id of its key.
        public init(keyid: String, sig: String) {
            self.keyid = keyid
            self.sig = sig
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init("keyid", .sha256, "The id of the key that signed: a hint."),
            .init("sig", .string(.init(.base64, length: 88...88)), "The signature, Ed25519."))
    }

    /// The statement in base64.
    public let payload: String
    /// `application/vnd.in-toto+json`.
    public let payloadType: String
    /// One signature.
    public let signatures: [Signature]

    /// An envelope with these members.
    public init(payload: String, payloadType: String, signatures: [Signature]) {
        self.payload = payload
        self.payloadType = payloadType
        self.signatures = signatures
    }

    /// The members on the wire.
    public static let schema = ObjectSchema(
        .init("payload", .string(.init(.base64, length: 0...4_194_304)), "The statement: JSON."),
        .init("payloadType", .text, "application/vnd.in-toto+json"),
        .init("signatures", .array(of: .object(Signature.schema), upTo: 16), "One signature."))
}
