package import Directory
package import Postgres

/// The statements that read the directory, by the role that runs them: what ``DirectoryInspection`` looks at.
package enum ServiceStatements {
    /// Those of ``DatabaseRole/api``. They run where the jobs are, unless the directory is in a database of its own.
    package static func permission(_ keys: KeyTypes, isApart: Bool = false) -> [Query] {
        DirectoryStatements.permission(keys) + [
            TenantGrant.tenantsQuery([]), AuditWriter.keyQuery(""),
            isApart
                ? Query("lookup-actors", JobBatchLoader.actors, [.texts([]), .texts([])])
                : Query("lookup", JobBatchLoader.sql, [.texts([]), .texts([]), .texts([])]),
        ]
    }

    /// Those of ``DatabaseRole/worker``. They run where the directory is.
    package static func snapshot(_ keys: KeyTypes) -> [Query] {
        DirectoryStatements.snapshot(keys)
    }

    /// By which an error of the directory's is known from one of the jobs'.
    package static let names: Set<String> = {
        let keys = KeyTypes(tenant: .bigint, profile: .bigint, group: .bigint, team: .bigint, administrator: .bigint)
        return Set((permission(keys) + permission(keys, isApart: true) + snapshot(keys)).map(\.name))
    }()
}
