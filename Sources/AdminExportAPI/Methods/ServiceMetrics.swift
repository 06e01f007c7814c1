/// Gives the service's figures.
public enum ServiceMetrics: Method {
    public static let name = "service.metrics"

    public typealias Params = NoMembers

    public struct Result: WireObject {
        public let contentType: String
        public let body: String

        public init(contentType: String, body: String) {
            self.contentType = contentType
            self.body = body
        }

        public static let schema = ObjectSchema(
            .init("contentType", .text, "The body's media type."),
            .init("body", .string(.init(.any, length: 0...16_777_216)), "The figures, in the OpenMetrics text format."))
    }

    public static let summary = "Gives the service's figures in the OpenMetrics text format."
    public static let details = """
        Those of the queue and its workers are the whole installation's, the others those of the process that answers. Without a \
        database the latter are there alone, and adminexport_database_up is 0. No figure is of one tenant.
        """
    public static let examples = [
        Example<Self>(
            "The beginning of it", NoMembers(),
            .init(
                contentType: "application/openmetrics-text; version=1.0.0; charset=utf-8",
                body: """
                    # TYPE adminexport_database_up gauge
                    # HELP adminexport_database_up Whether the database answers.
                    adminexport_database_up 1
                    # EOF

                    """))
    ]
}
