private import AdminExportAPI
internal import Evidence

/// What a verification has shown, in words.
struct VerificationReport {
    private let file: String
    private let proof: Receipt.Proof
    private let keyFile: String

    /// - Parameters:
    ///   - file: the path of the workbook.
    ///   - keyFile: the path of the key that signed.
    init(_ file: String, _ proof: Receipt.Proof, keyFile: String) {
        self.file = file
        self.proof = proof
        self.keyFile = keyFile
    }

    var text: TerminalText {
        let lines = lines.map { line in ("\(line.label):" as TerminalText).padded(to: 15) + "\(line.value)" }
        return "Verified: \(file) is the workbook that the receipt describes. Nobody has changed it.\n\n"
            + lines.joined(separator: "\n")
    }

    private var lines: [(label: String, value: String)] {
        let manifest = proof.predicate.manifest
        let facts = proof.predicate.facts
        let tenant = facts.tenantName.map { "\($0) (\(manifest.tenant))" } ?? manifest.tenant
        return [
            ("File", "\(proof.fileName), \(ProgressBar.grouped(manifest.size)) bytes"), ("SHA-256", manifest.sha256),
            ("Tenant", tenant), ("Requested by", facts.requester.email), ("Requested at", facts.requestedAt),
            ("Data as of", "\(facts.snapshotAt); the tenant's time zone is \(facts.timeZone)"),
            (
                "Accounts",
                manifest.options.includeDisabled ? "enabled and disabled accounts" : "enabled accounts only"
            ), ("Scope", scope(facts.scope)),
            ("Rows", ProgressBar.grouped(manifest.rows) + " accounts"),
            (
                "Sheets",
                proof.predicate.rowsPerSheet.map { "\($0.name) (\(ProgressBar.grouped($0.rows)))" }.joined(separator: ", ")
            ),
            ("Columns", manifest.columns.joined(separator: ", ")),
        ] + warnings(manifest) + [
            ("Export", manifest.job),
            ("Made by", "\(facts.program.name) \(facts.program.version), installation \(facts.installation)"),
            ("Signed at", proof.predicate.signedAt), ("Signed by", "the key \(proof.key.id)"), ("Key", key),
        ]
    }

    private func warnings(_ manifest: Manifest) -> [(label: String, value: String)] {
        manifest.warnings.isEmpty
            ? [("Warnings", "none")]
            : manifest.warnings.map { ("Warning", Output.describe(.init(kind: $0.kind, count: $0.count))) }
    }

    private var key: String {
        switch proof.key.status {
        case .active: keyFile
        case .retired: "\(keyFile), retired: it signs no new receipts, and this one remains valid"
        case .revoked: "\(keyFile), revoked"
        }
    }

    private func scope(_ scope: ExportPredicate.Scope) -> String {
        switch scope.kind {
        case .tenant: return "all accounts of the tenant"
        case .groups:
            guard let groups = scope.groups, !groups.isEmpty else { return "no accounts: the administrator has no group" }
            let names = groups.map { "\"\($0)\"" }.joined(separator: ", ")
            return
                "accounts of the groups \(names)\(scope.hasMoreGroups == true ? " and others" : ""), and of the groups below them; "
                + (scope.otherGroups == "hide" ? "the rows do not name other groups" : "the rows also name other groups")
        }
    }
}
