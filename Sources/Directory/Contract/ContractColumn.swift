/// Whose statements read the directory.
package enum DirectoryReader: Sendable, CaseIterable {
    /// Those that ask for an actor's permission, for each call.
    case permission
    /// Those that read an export's snapshot.
    case snapshot
}

/// A column of the source contract.
package struct ContractColumn: Sendable {
    package enum Content: Sendable, Equatable {
        /// The relation's own key, or one of the relation that is named, as `relation.column`.
        case key(of: String)
        /// Text that is compared byte by byte.
        case comparedText
        /// Whatever can be read as text.
        case text
        case status
        case scope
        case permissions
        /// A point in time.
        case moment
    }

    package let relation: String
    package let name: String
    package let content: Content
    package let readers: [DirectoryReader]

    /// `relation.column`.
    package var label: String { "\(relation).\(name)" }

    /// Whether who may export depends on it.
    var decidesPermission: Bool { readers.contains(.permission) && content != .text }

    private static func of(
        _ relation: String, _ columns: [(name: String, content: Content, readers: [DirectoryReader])]
    ) -> [ContractColumn] {
        columns.map { ContractColumn(relation: relation, name: $0.name, content: $0.content, readers: $0.readers) }
    }

    package static let all: [ContractColumn] = {
        let both: [DirectoryReader] = [.permission, .snapshot]
        let exports: [DirectoryReader] = [.snapshot]
        return of(
            "tenant",
            [
                ("id", .key(of: "tenant.id"), both), ("slug", .comparedText, both), ("name", .text, []),
                ("time_zone", .text, both),
            ])
            + of(
                "profile",
                [
                    ("id", .key(of: "profile.id"), both), ("tenant_id", .key(of: "tenant.id"), both),
                    ("name", .text, exports), ("permissions", .permissions, both), ("scope", .scope, both),
                ])
            + of(
                "administrator_group",
                [
                    ("id", .key(of: "administrator_group.id"), exports), ("tenant_id", .key(of: "tenant.id"), exports),
                    ("parent_id", .key(of: "administrator_group.id"), exports), ("name", .text, exports),
                ])
            + of(
                "team",
                [
                    ("id", .key(of: "team.id"), exports), ("tenant_id", .key(of: "tenant.id"), exports),
                    ("name", .text, exports),
                ])
            + of(
                "administrator",
                [
                    ("id", .key(of: "administrator.id"), both), ("tenant_id", .key(of: "tenant.id"), both),
                    ("profile_id", .key(of: "profile.id"), both),
                    ("main_group_id", .key(of: "administrator_group.id"), both), ("email", .comparedText, both),
                    ("status", .status, both), ("name", .text, exports), ("phone", .text, exports),
                    ("created_at", .moment, exports), ("updated_at", .moment, exports),
                ])
            + of(
                "administrator_secondary_group",
                [
                    ("administrator_id", .key(of: "administrator.id"), both),
                    ("group_id", .key(of: "administrator_group.id"), both),
                ])
            + of(
                "administrator_team",
                [("administrator_id", .key(of: "administrator.id"), exports), ("team_id", .key(of: "team.id"), exports)])
    }()

    /// In the order in which they refer to each other.
    package static let relations: [String] = all.reduce(into: []) { relations, column in
        if relations.last != column.relation { relations.append(column.relation) }
    }
}
