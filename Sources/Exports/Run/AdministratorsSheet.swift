internal import Directory
internal import XLSX

/// The sheet that users know: ten columns in this order.
enum AdministratorsSheet {
    static let name = "Administrators"

    static let columns = [
        Column("Name"), Column("Email"), Column("Phone"), Column("Profile"), Column("Main group"),
        Column("Secondary groups"), Column("Teams"), Column("Creation date", .date), Column("Last update", .date),
        Column("Status"),
    ]

    private static let enabled: StaticString = "Enabled"
    private static let disabled: StaticString = "Disabled"

    /// Writes one administrator in the columns' order.
    static func write(_ row: borrowing AdministratorRow, to workbook: WorkbookWriter) throws {
        try text(row.name, to: workbook)
        try text(row.email, to: workbook)
        try text(row.phone, to: workbook)
        try text(row.profile, to: workbook)
        try text(row.mainGroup, to: workbook)
        try workbook.text(row.secondaryGroups)
        try workbook.text(row.teams)
        try day(row.created, to: workbook)
        try day(row.updated, to: workbook)
        let status = row.isEnabled ? enabled : disabled
        try workbook.text(UnsafeBufferPointer(start: status.utf8Start, count: status.utf8CodeUnitCount))
        try workbook.endRow()
    }

    @inline(__always)
    private static func text(_ text: UnsafeBufferPointer<UInt8>?, to workbook: WorkbookWriter) throws {
        if let text { try workbook.text(text) } else { try workbook.empty() }
    }

    /// PostgreSQL's infinities are no day of any calendar; they are written as PostgreSQL spells them.
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
