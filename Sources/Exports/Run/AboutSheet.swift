internal import Directory
internal import XLSX

/// The last sheet, on request: what somebody who gets the workbook has to know about it. It is laid out for print.
struct AboutSheet {
    static let name = "About this export"

    let job: ClaimedJob
    let options: ExportOptions
    let snapshot: Snapshot
    let description: SnapshotDescription
    /// Rows and sheets of the data.
    let data: WorkbookSummary
    let warnings: [Warning]
    /// Where each column of the data is from.
    let sources: [(title: String, source: String)]
    let version: String
    /// Whether the export gets a receipt.
    let hasReceipt: Bool

    /// Writes the sheet. Its own texts cause no warnings.
    func write(to workbook: WorkbookWriter) throws {
        try workbook.beginSheet(Self.name, columns: [Column(Self.name), Column("")], layout: .page)
        for (label, text) in lines { try workbook.labelledRow(label, text) }
    }

    private var lines: [(label: String, text: String)] {
        let identity = snapshot.permission.identity
        let zone = snapshot.permission.timeZone
        return [
            (
                "Tenant",
                description.tenantName.isEmpty ? identity.tenantSlug : "\(description.tenantName) (\(identity.tenantSlug))"
            ),
            ("Requested by", identity.actorEmail),
            ("Requested at", "\(description.requestedAt) (\(zone))"),
            (
                "Data as of",
                "\(description.takenAt) (\(zone)). The service read all rows in one snapshot of the database, so they show the state "
                    + "at this time; later changes are not in the file."
            ),
            ("Accounts", options.includeDisabled ? "Enabled and disabled accounts" : "Enabled accounts only"),
            ("Scope", scope),
            (
                "Rows",
                Self.grouped(data.rows) + (data.sheets == 1 ? "" : " in \(data.sheets) sheets")
                    + ". These are all accounts in the snapshot that match the rows Accounts and Scope."
            ),
        ] + warningLines + sources.map { ("Column \"\($0.title)\"", $0.source) } + [
            ("Export", job.id.description),
            ("Made by", "\(ExportService.productName) \(version)"),
            ("How to verify", verification),
        ]
    }

    private var verification: String {
        let digest =
            "The service keeps the SHA-256 digest of this file with the export. Compare it with the digest of the file: "
            + "adminexport get \(job.id) prints the first, and sha256sum the second. If they are equal, nobody has changed the file."
        guard hasReceipt else { return digest }
        return
            "The service has signed a receipt of this file. With it and the public key of the service, adminexport verify FILE RECEIPT "
            + "proves without the service that nobody has changed the file. adminexport receipt \(job.id) saves the receipt. "
            + digest
    }

    private var scope: String {
        guard case .groups = snapshot.permission.scope else { return "All accounts of the tenant" }
        guard !description.groups.isEmpty else { return "No accounts: the administrator has no group" }
        return "Accounts whose main group or a secondary group is one of these groups, or is below one: "
            + description.groups.joined(separator: ", ") + (description.hasMoreGroups ? ", and others" : "") + ". "
            + (snapshot.otherGroups == .show
                ? "The rows also name other groups of these accounts."
                : "The rows do not name other groups of these accounts.")
    }

    private var warningLines: [(label: String, text: String)] {
        guard !warnings.isEmpty else { return [("Warnings", "None")] }
        return warnings.map { ("Warning", "\($0.kind), \(Self.grouped($0.count)): \($0.meaning)") }
    }

    /// `1,234,567`.
    private static func grouped(_ number: Int) -> String {
        var digits = String(number)
        var at = digits.endIndex
        while digits.distance(from: digits.startIndex, to: at) > 3 {
            at = digits.index(at, offsetBy: -3)
            digits.insert(",", at: at)
        }
        return digits
    }
}
