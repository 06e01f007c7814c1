/// The statements that read a column.
package enum DirectoryReader: Sendable, CaseIterable {
    /// The permission check of each request.
    case permission
    /// The snapshot of an export.
    case snapshot
}

/// A column of the directory's contract.
package struct ContractColumn: Sendable {
    /// What the values of a column must be.
    package enum Content: Sendable, Equatable {
        /// The relation's own key, or the key of another relation, as `relation.column`.
        case key(of: String)
        /// Text that the service compares byte by byte.
        case comparedText
        /// Anything that PostgreSQL can convert to text.
        case text
        /// The state of an account; `enabled` permits exports.
        case status
        /// What a profile sees: `tenant` or `groups`.
        case scope
        /// The names of a profile's permissions, an array of texts.
        case permissions
        /// A point in time.
        case moment
    }

    /// The relation in the schema `directory`.
    package let relation: String
    /// The name of the column.
    package let name: String
    /// What its values must be.
    package let content: Content
    /// The statements that read the column; none for a column that is only part of the contract.
    package let readers: [DirectoryReader]

    /// `relation.column`.
    package var label: String { "\(relation).\(name)" }

    /// Whether the column decides who may export.
    var decidesPermission: Bool { readers.contains(.permission) && content != .text }

    private static func of(
        _ relation: String, _ columns: [(name: String, content: Content, readers: [DirectoryReader])]
    ) -> [ContractColumn] {
        columns.map { ContractColumn(relation: relation, name: $0.name, content: $0.content, readers: $0.readers) }
    }

    /// All columns of the contract, by relation.
    package static let all: [ContractColumn] = {
        let both: [DirectoryReader] = [.permission, .snapshot]
        let exports: [DirectoryReader] = [.snapshot]
        return of(
            "tenant",
            [
                ("id", .key(of: "tenant.id"), both), ("slug", .comparedText, both), ("name", .text, exports),
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

    /// The relations of the contract. A relation comes after those that it refers to.
    package static let relations: [String] = all.reduce(into: []) { relations, column in
        if relations.last != column.relation { relations.append(column.relation) }
    }
}
