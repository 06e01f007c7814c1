/// The receipt of a workbook: a DSSE envelope (github.com/secure-systems-lab/dsse) around an in-toto statement.
///
/// Nobody should trust its content before the signature was verified, for example with `adminexport verify`.
public struct ReceiptEnvelope: WireObject, Hashable {
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

/// Returns the receipt of a workbook.
public enum ExportReceipt: Method {
    /// Which workbook.
    public struct Params: WireObject {
        /// The administrator in whose name the caller asks.
        public let actor: ActorName
        /// The job's id.
        public let job: String

        /// The parameters for one job.
        public init(actor: ActorName, job: String) {
            self.actor = actor
            self.job = job
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(ActorName.property(required: true), JobParams.job)
    }

    /// The receipt.
    public struct Result: WireObject {
        /// The receipt. A file with it is this object as JSON.
        public let receipt: ReceiptEnvelope

        /// The result for a receipt.
        public init(receipt: ReceiptEnvelope) {
            self.receipt = receipt
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init(
                "receipt", .object(ReceiptEnvelope.schema),
                "A DSSE envelope. Save it as it is, as a file for adminexport verify."))
    }

    /// See ``Method/description``.
    public static let description = MethodDescription(
        Self.self, "export.receipt", "Returns the receipt of a finished workbook.",
        details: """
            A receipt is a signed statement: who requested the workbook, when, from which state of the data and with which filters, and the \
            SHA-256 of the file. The service keeps it as long as the job, also when the workbook has expired. An actor who may not download \
            the workbook now does not get the receipt. Each call is an event of the audit trail. service.info returns the public keys; give \
            verifiers the keys in another way than the receipt.
            """,
        errors: [.permissionDenied, .notFound, .notReady, .notConfigured, .unavailable], isTakenInBatch: false,
        examples: [
            (
                "A receipt", .init(actor: ExampleValues.actor, job: ExampleValues.jobID),
                .init(
                    receipt: ReceiptEnvelope(
                        payload: "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==",
                        payloadType: "application/vnd.in-toto+json",
                        signatures: [
                            .init(
                                keyid: ServiceInfo.exampleKey.id,
                                sig:
                                    "6k3Ahzu3lX9Nv3NM1H4VwtKk9rBGh/8E3m79jA+KLEgEInpdt1cl9Thed4sBD1HJ+D9SV3pcBZTzb9ximURYAA=="
                            )
                        ]))
            )
        ])
}
