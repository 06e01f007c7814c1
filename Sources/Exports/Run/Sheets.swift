internal import Directory
internal import XLSX

/// The first sheet: ten columns in this order.
enum AdministratorsSheet {
    static let name = "Administrators"

    static let columns = [
        Column("Name"), Column("Email"), Column("Phone"), Column("Profile"), Column("Main group"),
        Column("Secondary groups"), Column("Teams"), Column("Creation date", .date), Column("Last update", .date),
        Column("Status"),
    ]

    /// Where the values of each column are from, in words.
    static var sources: [(title: String, source: String)] {
        let account = "directory.administrator"
        let day = ", as a day in the tenant's time zone"
        let sources = [
            "\(account).name", "\(account).email", "\(account).phone",
            "directory.profile.name, by \(account).profile_id",
            "directory.administrator_group.name, by \(account).main_group_id",
            "directory.administrator_group.name, by directory.administrator_secondary_group",
            "directory.team.name, by directory.administrator_team", "\(account).created_at\(day)",
            "\(account).updated_at\(day)",
            "\(account).status: Enabled if it is enabled, otherwise Disabled",
        ]
        return zip(columns, sources).map { ($0.title, $1) }
    }

    // "Enabled" and "Disabled" in ASCII. Counting the references to an array would take a fiftieth of the time of an export.
    private static let enabled: InlineArray<7, UInt8> = [0x45, 0x6E, 0x61, 0x62, 0x6C, 0x65, 0x64]
    private static let disabled: InlineArray<8, UInt8> = [0x44, 0x69, 0x73, 0x61, 0x62, 0x6C, 0x65, 0x64]

    /// Writes the row of one administrator.
    static func write(_ row: borrowing AdministratorRow, to workbook: WorkbookWriter) throws {
        // In the order of the columns.
        try row.forEachText { text in
            if let text { try workbook.text(text) } else { try workbook.empty() }
        }
        try day(row.created, to: workbook)
        try day(row.updated, to: workbook)
        if row.isEnabled { try workbook.text(enabled.span) } else { try workbook.text(disabled.span) }
        try workbook.endRow()
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
