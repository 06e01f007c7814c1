internal import AdminExportAPI
import AdminExportClient

/// The user that sends a request.
struct Visitor: Sendable {
    let actor: ActorName
    /// The value to which the tokens of this user's forms are bound.
    let formKey: String
}
