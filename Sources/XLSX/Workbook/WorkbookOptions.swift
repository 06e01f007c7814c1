private import Glibc

/// The properties of the document that the file contains.
public struct WorkbookProperties: Sendable {
    /// The title of the document.
    public var title: String
    /// The author.
    public var creator: String
    /// The name of the program, without its version.
    public var application: String
    /// The program's version, `X.Y`. Excel reports an error for a longer one.
    public var applicationVersion: String
    /// The time of the data, in seconds since 1970-01-01 UTC. It is a parameter so that equal rows give equal bytes.
    public var created: Int

    /// Properties of a document.
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

/// How the file is written. The defaults suit files from one row to many millions.
public struct WorkbookOptions: Sendable {
    /// The number of rows of a sheet in Excel. It is a limit of Excel, not of ECMA-376.
    public static let excelRows = 1_048_576

    /// The balance of size and speed; see <doc:Compatibility>.
    public var compression = Compression.template
    /// The maximum number of blocks of 512 KiB that are compressed in parallel. With 1, the calling thread compresses. The
    /// number does not change the bytes of the file.
    public var compressionThreads = WorkbookOptions.usualThreads
    /// The memory of the shared-strings table, in bytes. With 0, every string is inline.
    public var sharedStringsCapacity = 8 * 1024 * 1024
    /// The maximum number of rows of a sheet, including the header. The next rows go to another sheet. A sheet has at least one
    /// row of data.
    public var rowsPerSheet = WorkbookOptions.excelRows
    /// The maximum size of a sheet's XML, in bytes. The next sheet begins when a row of the longest cells (229 KB for each
    /// column) might no longer fit. So no part reaches 4 GiB, and none needs ZIP64, which not every reader supports. A sheet
    /// has at least one row, however small the maximum is.
    public var bytesPerSheet = 4 * 1024 * 1024 * 1024 - 1024 * 1024
    /// Whether rows and cells contain their references (`<row r="2"><c r="A2">`).
    ///
    /// They are optional in ECMA-376 (Part 1, 18.3.1.4 and 18.3.1.73), and Excel and LibreOffice read a sheet without them.
    /// Files are then more than a third smaller. Microsoft Access, Spreadsheet Compare and some importers need the references.
    public var cellReferences = true
    /// Whether the workbook may have columns of times and booleans, and labelled rows. The writer writes the formats before
    /// the sheets, so the option must be set at the start. With `false`, equal rows give the same bytes as in versions without these formats.
    public var extendedFormats = false
    /// The number of rows from which the writer computes the widths of the columns.
    public var rowsForWidths = 200

    /// One for each core, but not more than one thread that makes rows can keep busy.
    private static let usualThreads = min(max(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), 1), 8)

    /// The defaults.
    public init() {}
}

/// What the writer has written.
public struct WorkbookSummary: Equatable, Sendable {
    /// Rows of data; headers do not count.
    public var rows = 0
    /// Sheets of the workbook, including those that continue a full sheet.
    public var sheets = 0
    /// Cells whose text was cut at 32,767 UTF-16 units.
    public var truncatedTexts = 0
    /// Cells with bytes that were not UTF-8 and became U+FFFD.
    public var replacedTexts = 0
    /// Days that Excel's calendar does not have, which were written as text.
    public var datesAsText = 0

    /// A summary of nothing: all numbers are 0.
    public init() {}
}
