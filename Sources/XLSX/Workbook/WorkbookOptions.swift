private import Glibc

/// What the file says about itself.
public struct WorkbookProperties: Sendable {
    public var title: String
    /// Who made it; shown as the author.
    public var creator: String
    /// The program, without its version.
    public var application: String
    /// `X.Y`: Excel complains about anything longer.
    public var applicationVersion: String
    /// The time that the data is from, in seconds since 1970-01-01 UTC. A parameter, so that equal rows give equal bytes.
    public var created: Int

    public init(
        title: String, creator: String, application: String, applicationVersion: String = "1.0", created: Int
    ) {
        self.title = title
        self.creator = creator
        self.application = application
        self.applicationVersion = applicationVersion
        self.created = created
    }
}

/// How the file is made. The defaults are right for files from one row to many millions.
public struct WorkbookOptions: Sendable {
    /// Excel's last row (ECMA-376 leaves it open; Excel's specifications and limits do not).
    public static let excelRows = 1_048_576

    /// How small the file is to be, and how fast; see <doc:Compatibility>.
    public var compression = Compression.automatic
    /// How many blocks of 512 KiB are compressed side by side, at most. With 1 all is done on the calling thread. The bytes are
    /// the same whatever this is.
    public var compressionThreads = WorkbookOptions.usualThreads
    /// What the shared-strings table may take, in bytes. At 0 every string is inline.
    public var sharedStringsCapacity = 8 * 1024 * 1024
    /// Rows of a sheet, the header's included, before the next sheet begins. A sheet takes one row of data at least.
    public var rowsPerSheet = WorkbookOptions.excelRows
    /// What the XML of a sheet may come to, in bytes. The next sheet begins while there is still room for a row of the
    /// longest cells (229 KB for each column), so that no part reaches 4 GiB and none has to be ZIP64, which not every
    /// reader takes. A sheet takes one row at least, however small this is.
    public var bytesPerSheet = 4 * 1024 * 1024 * 1024 - 1024 * 1024
    /// Whether rows and cells say where they stand (`<row r="2"><c r="A2">`).
    ///
    /// ECMA-376 leaves it open (Part 1, 18.3.1.4 and 18.3.1.73), and Excel and LibreOffice read a sheet without. Files are
    /// then more than a third smaller. Microsoft Access, Spreadsheet Compare and some importers need the references.
    public var cellReferences = true
    /// Rows that are looked at for the columns' widths.
    public var rowsForWidths = 200

    /// The machine's cores, and no more than one thread that makes rows can keep busy.
    private static let usualThreads = min(max(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), 1), 8)

    public init() {}
}

/// What was written.
public struct WorkbookSummary: Equatable, Sendable {
    /// Rows of data; headers do not count.
    public var rows = 0
    public var sheets = 0
    /// Cells whose text was cut at 32,767 UTF-16 units.
    public var truncatedTexts = 0
    /// Cells with bytes that were no UTF-8 and became U+FFFD.
    public var replacedTexts = 0
    /// Days that Excel's calendar does not have, which were written as text.
    public var datesAsText = 0

    public init() {}
}
