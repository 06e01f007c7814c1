package import Postgres

/// Every statement that reads the directory, for ``DirectoryInspection``, which checks the privileges of the roles only for
/// these statements. A test compares the names with those in the sources.
package enum DirectoryStatements {
    /// The statements that find an actor and check the permission.
    package static func permission(_ keys: KeyTypes) -> [Query] {
        let byKeys = ActorReference.keys(tenant: keys.tenant.sample, actor: keys.administrator.sample)
        return [false, true].flatMap { listsPermissions in
            [.labels(tenant: "", email: ""), byKeys].map {
                ExportPermission.query($0, listsPermissions: listsPermissions, keys: keys)
            }
        } + [
            ExportPermission.doubledRows(tenant: keys.tenant.sample, actor: keys.administrator.sample, keys: keys)
        ]
    }

    /// The statements that read the snapshot of an export, in each of their forms.
    package static func snapshot(_ keys: KeyTypes, _ attributes: [Attribute] = []) -> [Query] {
        var queries =
            permission(keys) + [
                Snapshot.setTimeZoneQuery("UTC", tenant: ""), Snapshot.setTenantQuery(""), Snapshot.listedTimeZone("UTC"),
            ]
        for scope in [Scope.tenant, .groups(roots: [])] {
            for includeDisabled in [false, true] {
                for otherGroups in OtherGroups.allCases {
                    queries +=
                        SnapshotQueries(
                            keys: keys, includeDisabled: includeDisabled, scope: scope, otherGroups: otherGroups,
                            attributes: attributes
                        ).all
                }
            }
        }
        var seen: Set<String> = []
        return queries.filter { seen.insert($0.sql).inserted }
    }

    /// Sets every transaction-local setting that the statements of a snapshot read.
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
