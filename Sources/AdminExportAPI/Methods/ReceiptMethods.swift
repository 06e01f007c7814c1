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
        public let receipt: StatementEnvelope

        /// The result for a receipt.
        public init(receipt: StatementEnvelope) {
            self.receipt = receipt
        }

        /// The members on the wire.
        public static let schema = ObjectSchema(
            .init(
                "receipt", .object(StatementEnvelope.schema),
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
                    receipt: StatementEnvelope(
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
