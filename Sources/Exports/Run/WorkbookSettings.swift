internal import XLSX

/// How this installation makes its workbooks.
package struct WorkbookSettings: Sendable {
    /// The service's version, `X.Y.Z`; shown among the document's properties.
    package let version: String
    /// Rows and cells say where they stand: some importers need it, and files are larger. See ``WorkbookOptions``.
    package var cellReferences = true
    /// DEFLATE level, 1 (fastest) to 9 (smallest); nil for the first MiB at 6 and the rest at 1.
    package var compressionLevel: Int?

    package init(version: String) {
        self.version = version
    }

    /// `X.Y`: Excel complains about a document whose application has a longer version.
    var applicationVersion: String {
        version.split(separator: ".").prefix(2).joined(separator: ".")
    }

    var options: WorkbookOptions {
        var options = WorkbookOptions()
        options.cellReferences = cellReferences
        options.compression = compressionLevel.map { .level($0) } ?? .automatic
        return options
    }
}
