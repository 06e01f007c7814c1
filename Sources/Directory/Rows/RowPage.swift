internal import Postgres

/// A page of administrators with their groups and teams, as three binary COPYs in one order.
package struct RowPage: Sendable {
    /// key, key as text, name, email, phone, profile, main group, status, created, updated
    let administrators: [UInt8]
    /// Bytes of whole rows to use, where the rest of the COPY was given up.
    let end: Int
    /// administrator, group
    let groups: [UInt8]
    /// administrator, team
    let teams: [UInt8]
    /// Administrators in the page.
    package let count: Int

    static let administratorFields = 10
}

/// The names that rows refer to.
package struct References: Sendable {
    let profiles: ReferenceNames
    let groups: ReferenceNames
    let teams: ReferenceNames

    /// Calls the body with the name of each profile of the tenant, in code point order.
    package func forEachProfile(_ body: (UnsafeBufferPointer<UInt8>) throws -> Void) rethrows {
        try profiles.forEachName(body)
    }

    /// Calls the body with the name of each team of the tenant, in code point order.
    package func forEachTeam(_ body: (UnsafeBufferPointer<UInt8>) throws -> Void) rethrows {
        try teams.forEachName(body)
    }
}

extension RowPage {
    /// Calls the body with each administrator, in key order. The row's views are valid during the call only.
    ///
    /// The streams are merged by equality alone: what belongs together stands together, and the client need not know
    /// how the server orders keys.
    ///
    /// - Returns: how many references pointed to nothing in the tenant.
    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` where groups or teams are left over: the streams' orders differ.
    package func forEachRow(
        _ references: References, _ body: (borrowing AdministratorRow) throws -> Void
    ) throws -> Int {
        try references.profiles.withReader { profiles in
            try references.groups.withReader { groupNames in
                try references.teams.withReader { teamNames in
                    try groups.withUnsafeBytes { groupBytes in
                        try teams.withUnsafeBytes { teamBytes in
                            var secondary = try LinkStream(groupBytes)
                            var teams = try LinkStream(teamBytes)
                            var unresolved = 0
                            try forEachAdministrator { fields in
                                guard let key = fields[0] else { throw Self.nullKey }
                                secondary.collect(of: key, from: groupNames, unresolved: &unresolved)
                                teams.collect(of: key, from: teamNames, unresolved: &unresolved)
                                try body(
                                    AdministratorRow(
                                        name: fields[2], email: fields[3], phone: fields[4],
                                        profile: Self.name(fields[5], in: profiles, &unresolved),
                                        mainGroup: Self.name(fields[6], in: groupNames, &unresolved),
                                        secondaryGroups: secondary.list, teams: teams.list,
                                        created: AdministratorRow.Day(fields[8]),
                                        updated: AdministratorRow.Day(fields[9]),
                                        isEnabled: fields[7]?.elementsEqual("enabled".utf8) ?? false))
                                try secondary.check()
                                try teams.check()
                            }
                            try secondary.finish("administrator_secondary_group")
                            try teams.finish("administrator_team")
                            return unresolved
                        }
                    }
                }
            }
        }
    }

    private static let nullKey = DirectoryError.sourceInvalid("an administrator has no key")

    private func forEachAdministrator(
        _ body: (UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>?>) throws -> Void
    ) throws {
        let fields = UnsafeMutableBufferPointer<UnsafeBufferPointer<UInt8>?>.allocate(capacity: Self.administratorFields)
        defer { fields.deallocate() }
        try administrators.withUnsafeBytes { bytes in
            var cursor = try CopyCursor(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
            while try cursor.next(fields) { try body(fields) }
        }
    }

    @inline(__always)
    private static func name(
        _ key: UnsafeBufferPointer<UInt8>?, in names: borrowing ReferenceNames.Reader, _ unresolved: inout Int
    ) -> UnsafeBufferPointer<UInt8>? {
        guard let key else { return nil }
        guard let rank = names.rank(of: key) else {
            unresolved &+= 1
            return nil
        }
        return names.name(rank)
    }
}
