internal import Archive
internal import Directory
internal import Evidence
private import Foundation
internal import Postgres
internal import XLSX

/// The workbook of one export and its archive, on a thread of their own.
///
/// Writing computes for seconds and waits for the disk. The threads that serve callers must do neither.
actor ExportFile {
    private let queue = ThreadExecutor(label: "export-file")
    // SAFETY: the actor keeps the executor.
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe queue.asUnownedSerialExecutor() }

    private let job: ClaimedJob
    private let options: ExportOptions
    private let settings: WorkbookSettings
    private let snapshot: Snapshot
    private let receipts: Receipts?
    private var sheet: AdministratorsSheet
    private var output: Output?
    private var rows = 0
    private var missingNames = MissingNames()

    /// What a signed export needs besides the workbook.
    struct Receipts {
        let signer: EvidenceSigner
        /// The id of the installation.
        let installation: String
    }

    private struct Output {
        let store: ArchiveStore
        let storeID: String
        let partial: PartialArchive
        let archive: SeekableWriter
        let workbook: WorkbookWriter
    }

    /// Passes the bytes of the workbook to the archive.
    private final class ArchiveSink: ByteSink {
        private let archive: SeekableWriter

        init(_ archive: SeekableWriter) {
            self.archive = archive
        }

        func write(_ bytes: RawSpan) throws {
            try archive.write(bytes)
        }
    }

    /// - Parameter receipts: signs the receipt; nil for none. Then the snapshot must have a description.
    init(
        job: ClaimedJob, options: ExportOptions, settings: WorkbookSettings, snapshot: Snapshot, receipts: Receipts?
    ) {
        self.job = job
        self.options = options
        self.settings = settings
        self.snapshot = snapshot
        self.receipts = receipts
        sheet = AdministratorsSheet(snapshot.attributes)
    }

    /// Creates the partial file and the sheet with its header.
    private func open(in store: ArchiveStore, id: String) throws -> Output {
        try store.verify(storeID: id, mayCreate: false)
        let partial = try store.create(job.archiveName)
        let archive = try SeekableWriter(to: partial)
        let properties = WorkbookProperties(
            title: "Administrators of \(snapshot.permission.identity.tenantSlug)",
            creator: "\(ExportService.productName) \(settings.version)", application: ExportService.productName,
            applicationVersion: settings.applicationVersion, created: Int(snapshot.takenAt.microseconds / 1_000_000))
        var format = settings.options
        format.extendedFormats = options.includeAbout || sheet.hasExtendedFormats
        let workbook = try WorkbookWriter(properties: properties, options: format, to: ArchiveSink(archive))
        try workbook.beginSheet(AdministratorsSheet.name, columns: sheet.columns)
        return Output(store: store, storeID: id, partial: partial, archive: archive, workbook: workbook)
    }

    /// Creates the file and writes every row.
    ///
    /// - Parameters:
    ///   - id: the id that the store must have, now and when the file gets its name.
    ///   - progress: receives the number of rows so far.
    ///   - lease: checked after each page.
    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` if the number of rows is not that of the snapshot; ``LeaseOver``;
    ///   `CancellationError`; errors of the disk.
    func write(
        _ pages: PageStream, in store: ArchiveStore, id: String, progress: ProgressCounter, lease: LeaseClock
    ) async throws {
        let output = try open(in: store, id: id)
        self.output = output
        var rows = 0
        var missing = MissingNames()
        for await page in pages {
            missing =
                try missing
                + page.forEachRow(snapshot.references) { row in
                    try sheet.write(row, to: output.workbook)
                }
            rows += page.count
            progress.advance(to: rows)
            try Task.checkCancellation()
            try lease.check()
        }
        // A stream ends early when its task is cancelled, and pages are missing if keys do not compare in the order in
        // which they are sorted. A file with fewer rows than the snapshot is never published.
        try Task.checkCancellation()
        guard rows == snapshot.rowsTotal else {
            throw DirectoryError.sourceInvalid(
                "the count of administrators is \(snapshot.rowsTotal), but \(rows) rows were read")
        }
        // Links of the same person's account in another tenant are no fault.
        if missing.unresolved > 0 { missing.unresolved = max(0, missing.unresolved - (try await pages.linksElsewhere())) }
        (self.rows, missingNames) = (rows, missing)
    }

    /// Writes the further sheets that were requested, ends the workbook, adds the manifest, signs the receipt, and gives the file its name.
    ///
    /// - Throws: ``LeaseOver`` if the lease ended before the workbook did; errors of the disk.
    func finish(lease: LeaseClock) throws -> JobResult {
        guard let output else { preconditionFailure("the file is not open") }
        self.output = nil
        let data = output.workbook.progress
        if let groups = snapshot.groupTree { try ReferenceSheets.write(snapshot.references, groups, to: output.workbook) }
        let warnings = warnings(output.workbook.progress)
        if options.includeAbout, let description = snapshot.description {
            try AboutSheet(
                job: job, options: options, snapshot: snapshot, description: description, data: data, warnings: warnings,
                sources: sheet.sources, version: settings.version, hasReceipt: receipts != nil
            ).write(to: output.workbook)
        }
        try lease.check()
        let summary = try output.workbook.finish()
        let written = try output.archive.finish { content in
            try JSON.encode(manifest(summary, warnings, sha256: content.sha256.hexadecimal, size: content.size))
        }
        let receipt = try receipts.map {
            try $0.signer.sign(
                manifest(
                    summary, warnings, sha256: written.content.sha256.hexadecimal, size: written.content.size),
                facts(installation: $0.installation), sheets: output.workbook.finishedSheets, tenant: job.tenantSlug,
                day: snapshot.day)
        }
        try output.store.verify(storeID: output.storeID, mayCreate: false)
        try output.partial.publish()
        return JobResult(
            rows: rows, sheets: summary.sheets, size: written.content.size,
            sha256: written.content.sha256.hexadecimal, scopeDigest: snapshot.permission.scope.digest(snapshot.otherGroups),
            columns: snapshot.attributes.isEmpty ? nil : sheet.columns.map(\.title),
            attributes: snapshot.attributes.map(\.column),
            columnPermissions: Set(snapshot.attributes.compactMap(\.permission)).sorted(), day: snapshot.day,
            warnings: String(decoding: try JSON.encode(warnings), as: UTF8.self), receipt: receipt)
    }
}

// MARK: Manifest and receipt

extension ExportFile {
    private func manifest(_ summary: WorkbookSummary, _ warnings: [Warning], sha256: String, size: Int) -> Manifest {
        let identity = snapshot.permission.identity
        return Manifest(
            job: job.id.description, tenant: identity.tenantSlug, actor: identity.actorEmail, rows: rows,
            sheets: summary.sheets, sha256: sha256, size: size,
            created: Date(timeIntervalSince1970: Double(snapshot.takenAt.microseconds) / 1_000_000).formatted(.iso8601),
            columns: sheet.columns.map(\.title),
            options: .init(
                includeDisabled: options.includeDisabled, includeReferences: options.includeReferences,
                includeAbout: options.includeAbout),
            warnings: warnings.map { .init(kind: $0.kind, count: $0.count) })
    }

    private func facts(installation: String) -> ExportPredicate.Facts {
        let identity = snapshot.permission.identity
        let description = snapshot.description
        let scope: ExportPredicate.Scope =
            switch snapshot.permission.scope {
            case .tenant: .init(kind: .tenant)
            case .groups(let roots):
                .init(
                    kind: .groups, groupKeys: roots, groups: description?.groups ?? [],
                    hasMoreGroups: description?.hasMoreGroups == true ? true : nil,
                    otherGroups: snapshot.otherGroups.rawValue)
            }
        let tenantName = description?.tenantName ?? ""
        return ExportPredicate.Facts(
            requester: .init(email: identity.actorEmail, key: identity.actorKey),
            requestedAt: EvidenceTime.text(microseconds: Int(job.createdAt.microseconds)),
            snapshotAt: EvidenceTime.text(microseconds: Int(snapshot.takenAt.microseconds)),
            timeZone: snapshot.permission.timeZone, tenantKey: identity.tenantKey,
            tenantName: tenantName.isEmpty ? nil : tenantName, scope: scope, columnSources: sheet.sources.map(\.source),
            epoch: job.epoch, installation: installation,
            program: .init(name: ExportService.productName, version: settings.version))
    }
}

extension ExportFile {
    /// What the export could not write unchanged.
    ///
    /// - Parameter summary: of the sheets with data and names.
    private func warnings(_ summary: WorkbookSummary) -> [Warning] {
        [
            Warning(kind: "text-truncated", count: summary.truncatedTexts),
            Warning(kind: "text-replaced", count: summary.replacedTexts),
            Warning(kind: "date-as-text", count: summary.datesAsText),
            Warning(kind: "unresolved-reference", count: missingNames.unresolved),
            Warning(kind: "group-hidden", count: missingNames.hidden),
        ].filter { $0.count > 0 }
    }
}

extension ClaimedJob {
    /// The name of this epoch's file.
    var archiveName: ArchiveName { archiveName(epoch: epoch) }

    /// The name of the file of an epoch.
    func archiveName(epoch: Int) -> ArchiveName {
        ArchiveName(
            tenant: tenantSlug, year: createdMonth.year, month: createdMonth.month, job: id.description, epoch: epoch)
    }
}

extension JobRecord {
    /// The name of the file that the row names; nil if it names none.
    var archiveName: ArchiveName? {
        archiveEpoch.map {
            ArchiveName(
                tenant: tenantSlug, year: createdMonth.year, month: createdMonth.month, job: id.description, epoch: $0)
        }
    }
}

/// How this installation writes workbooks.
package struct WorkbookSettings: Sendable {
    /// The service's version, `X.Y.Z`, for the properties of the document.
    package let version: String
    /// Whether rows and cells have references, which some importers need and which make files larger; see ``WorkbookOptions``.
    package var cellReferences = true
    /// What compresses the sheets; nil for zlib if there is a level, and for the template-aware compressor otherwise.
    package var compressor: WorkbookCompressor?
    /// zlib's level, 1 (fastest) to 9 (smallest); nil for the first MiB at 6 and the rest at 1, if zlib compresses.
    package var compressionLevel: Int?

    /// Settings with references and the default compression.
    package init(version: String) {
        self.version = version
    }

    /// `X.Y`: Excel reports an error for a longer version of the application.
    var applicationVersion: String {
        version.split(separator: ".").prefix(2).joined(separator: ".")
    }

    /// The settings for the workbook writer.
    var options: WorkbookOptions {
        var options = WorkbookOptions()
        options.cellReferences = cellReferences
        options.compression =
            switch usedCompressor {
            case .template: .template
            case .zlib: compressionLevel.map { .level($0) } ?? .automatic
            }
        return options
    }

    /// What compresses the sheets.
    package var usedCompressor: WorkbookCompressor { compressor ?? (compressionLevel == nil ? .template : .zlib) }
}

/// What compresses the sheets of workbooks.
package enum WorkbookCompressor: String, CaseIterable, Sendable {
    /// The workbook writer's own compressor, which knows the XML that the writer makes.
    case template
    /// zlib, which is slower.
    case zlib
}
