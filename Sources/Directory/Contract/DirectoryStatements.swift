package import Postgres

/// Every statement that reads the directory, to be looked at by ``DirectoryInspection``: a statement that is not here is not held
/// to the privileges of the role that runs it. A test compares the names with those in the sources.
package enum DirectoryStatements {
    /// Those that ask for an actor and their permission.
    package static func permission(_ keys: KeyTypes) -> [Query] {
        [
            ExportPermission.query(.labels(tenant: "", email: ""), keys: keys),
            ExportPermission.query(.keys(tenant: keys.tenant.sample, actor: keys.administrator.sample), keys: keys),
            ExportPermission.doubledRows(tenant: keys.tenant.sample, actor: keys.administrator.sample, keys: keys),
        ]
    }

    /// Those that an export reads its snapshot by, in each of its forms.
    package static func snapshot(_ keys: KeyTypes) -> [Query] {
        var queries = permission(keys) + [Snapshot.setTimeZoneQuery("UTC", tenant: ""), Snapshot.listedTimeZone("UTC")]
        for scope in [Scope.tenant, .groups(roots: [])] {
            for includeDisabled in [false, true] {
                queries += SnapshotQueries(keys: keys, includeDisabled: includeDisabled, scope: scope).all
            }
        }
        var seen: Set<String> = []
        return queries.filter { seen.insert($0.sql).inserted }
    }

    /// What the statements of a snapshot take from the transaction.
    static func settings(_ keys: KeyTypes) -> Query {
        Query(
            "sample-settings",
            """
            SELECT set_config('adminexport.tenant', $1, true) IS NOT NULL AND set_config('adminexport.last', $2, true) IS NOT NULL
                AND set_config('adminexport.after', $2, true) IS NOT NULL AND set_config('adminexport.roots', '{}', true) IS NOT NULL
                AND set_config('adminexport.groups', '{}', true) IS NOT NULL AS done
            """, [.text(keys.tenant.sample), .text(keys.administrator.sample)])
    }
}
