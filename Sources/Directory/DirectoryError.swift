/// Why the directory returns no rows, apart from errors of the database itself.
package enum DirectoryError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The actor may not export, for this reason.
    case denied(Denial)
    /// PostgreSQL does not know the tenant's time zone; its name, or the beginning of a long one.
    case unknownTimeZone(String)
    /// The relations violate their contract. The text names the place and contains no data.
    case sourceInvalid(String)
    /// The same for a fault that may end in a moment, such as views that are being recreated.
    case unsettled(String)

    /// The error for logs. It contains no data.
    package var description: String {
        switch self {
        case .denied(let denial): "denied: \(denial.rawValue)"
        case .unknownTimeZone: "the tenant's time zone is none that PostgreSQL lists"
        case .sourceInvalid(let fault), .unsettled(let fault): fault
        }
    }
}

extension DirectoryError {
    /// The error for two rows that have the same key.
    package static func doubled(_ relation: String, _ key: String) -> DirectoryError { doubled(relation, "id", key) }

    /// The error for two rows that have the same value in a column.
    package static func doubled(_ relation: String, _ column: String, _ value: String) -> DirectoryError {
        .sourceInvalid(ContractFault.doubled(relation, column, value).description)
    }
}

/// Why the service denies a request of an actor. The raw values are part of the wire protocol (`data.reason`).
package enum Denial: String, Sendable {
    /// No tenant has the slug or the key.
    case unknownTenant = "unknown-tenant"
    /// The tenant has no administrator with the e-mail address or the key.
    case unknownAdministrator = "unknown-administrator"
    /// Several enabled accounts of the tenant have this e-mail address; or several disabled ones have it and no enabled one.
    case ambiguousActor = "ambiguous-actor"
    /// The account is disabled.
    case disabled = "administrator-disabled"
    /// The profile does not have the permission ``ExportPermission/name``, or has no known scope.
    case noPermission = "no-permission"
    /// The actor's scope is not the one with which the export was made.
    case scopeChanged = "scope-changed"
    /// A column of the export is no longer declared, or the actor's profile lacks a permission that it needs.
    case columnsChanged = "columns-changed"
}
