package import Postgres

/// Which administrators an actor sees, by the export's own rule, for statements of other modules.
package struct VisibleAdministrators: Sendable {
    /// The actor's permission, as checked in this transaction.
    package let permission: ExportPermission
    /// The types of the directory's keys.
    package let keys: KeyTypes
    /// A condition on `directory.administrator a`. It consists of the program's own words.
    package let condition: String
    /// The further columns that the actor sees.
    package let attributes: [Attribute]
    /// The tenant's key as SQL, read from the transaction's settings.
    package let tenant: String
    private let queries: SnapshotQueries

    /// Checks the actor and prepares the current transaction: only in it the condition is valid, and `timestamptz::date` is the
    /// day in the tenant's time zone.
    ///
    /// - Throws: ``DirectoryError``, ``PostgresError``.
    package static func prepare(
        for actor: ActorReference, includeDisabled: Bool, otherGroups: OtherGroups, attributes: [Attribute],
        keys: KeyTypes, on connection: isolated PostgresConnection
    ) async throws -> VisibleAdministrators {
        let permission = try await ExportPermission.check(
            actor, listsPermissions: attributes.needPermissions, keys: keys, on: connection)
        let queries = SnapshotQueries(
            keys: keys, includeDisabled: includeDisabled, scope: permission.scope, otherGroups: otherGroups)
        try await Snapshot.setTimeZone(permission, on: connection)
        try await Snapshot.setGroups(permission, queries, on: connection)
        return VisibleAdministrators(
            permission: permission, keys: keys, condition: queries.visible,
            attributes: attributes.visible(with: permission.permissions ?? PermissionNames()), tenant: queries.tenant,
            queries: queries)
    }

    /// A condition on the key of a group: the actor may see the group's name. Nil if the actor may see all names.
    ///
    /// - Parameter key: SQL.
    package func mayNameGroup(_ key: String) -> String? {
        queries.hidesOtherGroups ? queries.isVisibleGroup(key) : nil
    }
}
