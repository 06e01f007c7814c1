/// A further column of exports, which the configuration declares. Its values are those of a column of `directory.administrator`.
package struct Attribute: Sendable, Hashable {
    /// The type of the values. The raw values are those of the configuration and of the wire.
    package enum Kind: String, Sendable, CaseIterable {
        /// `text` or `varchar`.
        case text
        /// `date`.
        case date
        /// `timestamptz`, which the export shows in the tenant's time zone.
        case datetime
        /// `boolean`.
        case boolean
        /// `text[]`, which the export shows as a list like that of the teams, in the order of the array.
        case list

        /// The types in PostgreSQL that a column of this kind may have.
        package var types: [String] {
            switch self {
            case .text: ["text", "character varying"]
            case .date: ["date"]
            case .datetime: ["timestamp with time zone"]
            case .boolean: ["boolean"]
            case .list: ["text[]"]
            }
        }
    }

    /// The column of `directory.administrator`.
    package let column: String
    /// The header of the column in the workbook.
    package let title: String
    /// The type of the values.
    package let kind: Kind
    /// The permission that an actor's profile needs to see the column; nil if every actor who exports sees it.
    package let permission: String?
    /// Whether somebody has confirmed that the column contains no credential, although the view reads columns with names of credentials.
    package let isReviewed: Bool
    /// The line of the configuration file that declares it.
    package let line: Int

    /// A declaration.
    package init(
        column: String, title: String, kind: Kind, permission: String? = nil, isReviewed: Bool = false, line: Int = 0
    ) {
        self.column = column
        self.title = title
        self.kind = kind
        self.permission = permission
        self.isReviewed = isReviewed
        self.line = line
    }

    /// The column as SQL. Names come from the configuration, so they are quoted.
    package var quoted: String { "\"\(column.replacing("\"", with: "\"\""))\"" }

    /// The place of the declaration, for messages.
    var place: String { "attributes, line \(line)" }
}

extension [Attribute] {
    /// The attributes that an actor with these permissions sees, in their order.
    package func visible(with permissions: PermissionNames) -> [Attribute] {
        filter { $0.permission.map(permissions.contains) ?? true }
    }

    /// Whether an actor with these permissions may read a file with these columns now.
    ///
    /// A file keeps what it contains: a column that is no longer declared, or that needs a permission now, is not delivered.
    ///
    /// - Parameters:
    ///   - columns: the columns of `directory.administrator` that the file has besides those of each export.
    ///   - required: the permissions that they needed when the file was made.
    package func permitFile(
        with columns: [String], requiring required: [String], to permissions: PermissionNames
    ) -> Bool {
        required.allSatisfy(permissions.contains)
            && columns.allSatisfy { column in
                visible(with: permissions).contains { $0.column.utf8.elementsEqual(column.utf8) }
            }
    }

    /// Whether the actor's profile determines which attributes the actor sees.
    package var needPermissions: Bool { contains { $0.permission != nil } }
}
