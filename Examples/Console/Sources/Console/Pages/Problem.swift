internal import AdminExportAPI
import AdminExportClient

/// The text for an error of the service.
struct Problem: Sendable {
    let kind: String
    let text: String

    init(_ error: ClientError, _ texts: Texts) {
        kind = error.kind == ErrorKind.shuttingDown.rawValue ? "unavailable" : error.kind ?? "unavailable"
        text = texts.first(of: ["error.\(kind).\(error.reason ?? "")", "error.\(kind)", "error.internal-error"])
    }
}
