internal import AdminExportAPI
import AdminExportClient

/// Who a request comes from.
struct Visitor: Sendable {
    let actor: Actor
    /// What their forms are bound to.
    let formKey: String
}
