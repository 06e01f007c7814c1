internal import Directory
internal import XLSX

/// The sheets behind the data, on request: what an import can be prepared against. Each has its header when there is
/// nothing to list.
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
        _ sheet: String, _ forEach: ((UnsafeBufferPointer<UInt8>) throws -> Void) throws -> Void,
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
