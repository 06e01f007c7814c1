/// Why the directory gives no rows, apart from errors of the database itself.
package enum DirectoryError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The actor may not export, and why.
    case denied(Denial)
    /// The tenant's time zone is none that PostgreSQL lists; its name, or the beginning of a long one.
    case unknownTimeZone(String)
    /// The relations do not hold to the source contract; the text says where and holds no data.
    case sourceInvalid(String)
    /// The same, for what may end in a moment, such as views that are being recreated.
    case unsettled(String)

    package var description: String {
        switch self {
        case .denied(let denial): "denied: \(denial.rawValue)"
        case .unknownTimeZone: "the tenant's time zone is none that PostgreSQL lists"
        case .sourceInvalid(let fault), .unsettled(let fault): fault
        }
    }
}

extension DirectoryError {
    /// A key that two rows have.
    package static func doubled(_ relation: String, _ key: String) -> DirectoryError { doubled(relation, "id", key) }

    /// A value of the column that two rows have.
    package static func doubled(_ relation: String, _ column: String, _ value: String) -> DirectoryError {
        .sourceInvalid(ContractFault.doubled(relation, column, value).description)
    }
}

/// Why an actor is turned away. The raw values are part of the wire protocol (`data.reason`).
package enum Denial: String, Sendable {
    case unknownTenant = "unknown-tenant"
    case unknownAdministrator = "unknown-administrator"
    /// Two enabled accounts of the tenant have this e-mail, or several disabled ones and no enabled one: nobody can say who asks.
    case ambiguousActor = "ambiguous-actor"
    case disabled = "administrator-disabled"
    case noPermission = "no-permission"
    /// The actor sees less, or something else, than when the export was made.
    case scopeChanged = "scope-changed"
}
