package import Postgres

/// Which administrators an actor sees, as the export has it, for statements that somebody else writes.
package struct VisibleAdministrators: Sendable {
    package let permission: ExportPermission
    package let keys: KeyTypes
    /// A condition on `directory.administrator a`; made of the program's own words.
    package let condition: String
    /// The tenant's key.
    package let tenant: String

    /// Checks the actor and prepares the transaction that is under way: the condition holds in it alone, and `timestamptz::date` is
    /// the day in the tenant's time zone.
    ///
    /// - Throws: ``DirectoryError``, ``PostgresError``.
    package static func prepare(
        for actor: ActorReference, includeDisabled: Bool, keys: KeyTypes, on connection: isolated PostgresConnection
    ) async throws -> VisibleAdministrators {
        let permission = try await ExportPermission.check(actor, keys: keys, on: connection)
        let queries = SnapshotQueries(keys: keys, includeDisabled: includeDisabled, scope: permission.scope)
        try await Snapshot.setTimeZone(permission, on: connection)
        try await Snapshot.setGroups(permission, queries, on: connection)
        return VisibleAdministrators(
            permission: permission, keys: keys, condition: queries.visible, tenant: queries.tenant)
    }
}
