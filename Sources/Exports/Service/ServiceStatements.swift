package import Directory
package import Postgres

/// The statements that read the directory, by the role that runs them. ``DirectoryInspection`` explains them.
package enum ServiceStatements {
    /// The statements of ``DatabaseRole/api``. They run in the jobs' database, or in the directory's if that is a separate one.
    package static func permission(_ keys: KeyTypes, isApart: Bool = false) -> [Query] {
        DirectoryStatements.permission(keys) + [
            TenantGrant.tenantsQuery([]), AuditWriter.keyQuery(""),
            isApart
                ? Query("lookup-actors", JobBatchLoader.actors, [.texts([]), .texts([])])
                : Query("lookup", JobBatchLoader.sql, [.texts([]), .texts([]), .texts([])]),
        ]
    }

    /// The statements of ``DatabaseRole/worker``. They run in the database of the directory.
    package static func snapshot(_ keys: KeyTypes, _ attributes: [Attribute] = []) -> [Query] {
        DirectoryStatements.snapshot(keys, attributes)
    }

    /// The names of all of them, which distinguish errors of the directory from errors of the queue.
    package static let names: Set<String> = {
        let keys = KeyTypes(tenant: .bigint, profile: .bigint, group: .bigint, team: .bigint, administrator: .bigint)
        return Set((permission(keys) + permission(keys, isApart: true) + snapshot(keys)).map(\.name))
    }()
}

/// The roles that transactions assume; see the grants in `Schema/`.
package enum DatabaseRole {
    /// Owns the schema `adminexport` and prunes the audit trail.
    package static let owner = "adminexport_owner"
    /// Serves callers: permission checks, jobs and the audit trail.
    package static let api = "adminexport_api"
    /// Runs exports and maintains the queue.
    package static let worker = "adminexport_worker"
}
