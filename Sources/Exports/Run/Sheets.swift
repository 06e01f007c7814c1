internal import Directory
internal import XLSX

/// The first sheet: ten columns in this order, and after them the attributes that the actor sees.
package struct AdministratorsSheet {
    static let name = "Administrators"

    /// The columns that each export has.
    static let fixedColumns = [
        Column("Name"), Column("Email"), Column("Phone"), Column("Profile"), Column("Main group"),
        Column("Secondary groups"), Column("Teams"), Column("Creation date", .date), Column("Last update", .date),
        Column("Status"),
    ]

    /// Their titles.
    package static let fixedTitles = fixedColumns.map(\.title)

    private let attributes: [Attribute]
    /// The list of an attribute, whose memory is used again.
    private var list: [UInt8] = []

    /// - Parameter attributes: those of the snapshot.
    init(_ attributes: [Attribute]) {
        self.attributes = attributes
    }

    var columns: [Column] {
        Self.fixedColumns
            + attributes.map { attribute in
                let kind: Column.Kind =
                    switch attribute.kind {
                    case .text, .list: .text
                    case .date: .date
                    case .datetime: .dateTime
                    case .boolean: .boolean
                    }
                return Column(attribute.title, kind)
            }
    }

    /// Whether the workbook needs the writer's extended formats.
    var hasExtendedFormats: Bool { attributes.contains { $0.kind == .datetime || $0.kind == .boolean } }

    /// Where the values of each column are from, in words.
    var sources: [(title: String, source: String)] {
        let account = "directory.administrator"
        let day = ", as a day in the tenant's time zone"
        let fixed = [
            "\(account).name", "\(account).email", "\(account).phone",
            "directory.profile.name, by \(account).profile_id",
            "directory.administrator_group.name, by \(account).main_group_id",
            "directory.administrator_group.name, by directory.administrator_secondary_group",
            "directory.team.name, by directory.administrator_team", "\(account).created_at\(day)",
            "\(account).updated_at\(day)",
            "\(account).status: Enabled if it is enabled, otherwise Disabled",
        ]
        let further = attributes.map { attribute in
            "\(account).\(attribute.column)" + (attribute.kind == .datetime ? ", in the tenant's time zone" : "")
                + (attribute.permission.map { "; for administrators with the permission \($0)" } ?? "")
        }
        return zip(columns, fixed + further).map { ($0.title, $1) }
    }

    // "Enabled" and "Disabled" in ASCII. Counting the references to an array would take a fiftieth of the time of an export.
    private static let enabled: InlineArray<7, UInt8> = [0x45, 0x6E, 0x61, 0x62, 0x6C, 0x65, 0x64]
    private static let disabled: InlineArray<8, UInt8> = [0x44, 0x69, 0x73, 0x61, 0x62, 0x6C, 0x65, 0x64]

    /// Writes the row of one administrator.
    mutating func write(_ row: borrowing AdministratorRow, to workbook: WorkbookWriter) throws {
        // In the order of the columns.
        try row.forEachText { text in
            if let text { try workbook.text(text) } else { try workbook.empty() }
        }
        try Self.day(row.created, to: workbook)
        try Self.day(row.updated, to: workbook)
        if row.isEnabled { try workbook.text(Self.enabled.span) } else { try workbook.text(Self.disabled.span) }
        if !attributes.isEmpty { try writeAttributes(of: row, to: workbook) }
        try workbook.endRow()
    }

    private mutating func writeAttributes(of row: borrowing AdministratorRow, to workbook: WorkbookWriter) throws {
        for index in attributes.indices {
            switch attributes[index].kind {
            case .text:
                try row.withText(ofAttribute: index) { text in
                    if let text { try workbook.text(text) } else { try workbook.empty() }
                }
            case .date: try Self.day(row.day(ofAttribute: index), to: workbook)
            case .datetime:
                switch row.time(ofAttribute: index) {
                case .seconds(let seconds): try workbook.dateTime(secondsSince1970: seconds)
                case .infinity: try workbook.date(text: "infinity")
                case .minusInfinity: try workbook.date(text: "-infinity")
                case nil: try workbook.empty()
                }
            case .boolean:
                if let value = row.flag(ofAttribute: index) { try workbook.boolean(value) } else { try workbook.empty() }
            case .list:
                try row.list(ofAttribute: index, into: &list)
                try workbook.text(list.span)
            }
        }
    }

    /// PostgreSQL's infinities are not days of a calendar. They are written as text, as PostgreSQL spells them.
    @inline(__always)
    private static func day(_ day: AdministratorRow.Day?, to workbook: WorkbookWriter) throws {
        switch day {
        case .date(let days): try workbook.date(daysSince1970: days)
        case .infinity: try workbook.date(text: "infinity")
        case .minusInfinity: try workbook.date(text: "-infinity")
        case nil: try workbook.empty()
        }
    }
}

/// The sheets after the data, on request: the names that an import may refer to. A sheet without rows has its header.
enum ReferenceSheets {
    static func write(_ references: References, _ groups: GroupTree, to workbook: WorkbookWriter) throws {
        try list("Profiles", references.forEachProfile, to: workbook)
        try workbook.beginSheet("Groups", columns: [Column("Name"), Column("Path")])
        try groups.forEachGroup { name, path in
            try Task.checkCancellation()
            try workbook.text(name)
            try workbook.text(path)
            try workbook.endRow()
        }
        try list("Teams", references.forEachTeam, to: workbook)
    }

    private static func list(
        _ sheet: String, _ forEach: ((Span<UInt8>) throws -> Void) throws -> Void,
        to workbook: WorkbookWriter
    ) throws {
        try workbook.beginSheet(sheet, columns: [Column("Name")])
        try forEach { name in
            try Task.checkCancellation()
            try workbook.text(name)
            try workbook.endRow()
        }
    }
}
