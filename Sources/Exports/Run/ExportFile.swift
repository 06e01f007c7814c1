internal import Archive
internal import Directory
private import Foundation
internal import Postgres
internal import XLSX

/// The workbook of one export and the archive that it goes into, on a thread of their own.
///
/// Writing takes seconds of computing and waits for the disk; the threads that serve callers must do neither.
actor ExportFile {
    private let queue = ThreadExecutor(label: "export-file")
    nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }

    private let job: ClaimedJob
    private let options: ExportOptions
    private let settings: WorkbookSettings
    private let snapshot: Snapshot
    private var output: Output?
    private var rows = 0
    private var unresolved = 0

    private struct Output {
        let store: ArchiveStore
        let storeID: String
        let partial: PartialArchive
        let archive: SeekableWriter
        let workbook: WorkbookWriter
    }

    /// Passes the workbook's bytes on to the archive.
    private final class ArchiveSink: ByteSink {
        private let archive: SeekableWriter

        init(_ archive: SeekableWriter) {
            self.archive = archive
        }

        func write(_ bytes: UnsafeRawBufferPointer) throws {
            try archive.write(bytes)
        }
    }

    init(job: ClaimedJob, options: ExportOptions, settings: WorkbookSettings, snapshot: Snapshot) {
        self.job = job
        self.options = options
        self.settings = settings
        self.snapshot = snapshot
    }

    /// Creates the partial file and the sheet with its header.
    ///
    /// - Parameter id: what the store has to say that it is, now and when the file gets its name.
    func open(in store: ArchiveStore, id: String) throws {
        try store.verify(storeID: id, mayCreate: false)
        let partial = try store.create(job.archiveName)
        let archive = try SeekableWriter(to: partial)
        let properties = WorkbookProperties(
            title: "Administrators of \(snapshot.permission.identity.tenantSlug)",
            creator: "\(ExportService.productName) \(settings.version)", application: ExportService.productName,
            applicationVersion: settings.applicationVersion, created: Int(snapshot.takenAt.microseconds / 1_000_000))
        let workbook = try WorkbookWriter(properties: properties, options: settings.options, to: ArchiveSink(archive))
        try workbook.beginSheet(AdministratorsSheet.name, columns: AdministratorsSheet.columns)
        output = Output(store: store, storeID: id, partial: partial, archive: archive, workbook: workbook)
    }

    /// Writes a page and gives the number of rows so far.
    func write(_ page: RowPage) throws -> Int {
        guard let output else { preconditionFailure("the file is not open") }
        unresolved += try page.forEachRow(snapshot.references) { row in
            try AdministratorsSheet.write(row, to: output.workbook)
        }
        rows += page.count
        return rows
    }

    var hasUnresolved: Bool { unresolved > 0 }

    /// - Parameter links: so many of those that lead to nothing here belong to the same person's account in another tenant.
    func resolve(elsewhere links: Int) {
        unresolved = max(0, unresolved - links)
    }

    /// Writes the sheets behind the data, where they were asked for.
    func writeReferences() throws {
        guard let output, let groups = snapshot.groupTree else { return }
        try ReferenceSheets.write(snapshot.references, groups, to: output.workbook)
    }

    /// Ends the workbook, adds the manifest, and puts the file under its name.
    func finish() throws -> JobResult {
        guard let output else { preconditionFailure("the file is not open") }
        self.output = nil
        let summary = try output.workbook.finish()
        let warnings = [
            Warning(kind: "text-truncated", count: summary.truncatedTexts),
            Warning(kind: "text-replaced", count: summary.replacedTexts),
            Warning(kind: "date-as-text", count: summary.datesAsText),
            Warning(kind: "unresolved-reference", count: unresolved),
        ].filter { $0.count > 0 }
        let written = try output.archive.finish { content in
            try JSON.encoder.encode(
                Manifest(
                    job: job.id.description, tenant: snapshot.permission.identity.tenantSlug,
                    actor: snapshot.permission.identity.actorEmail, rows: rows, sheets: summary.sheets,
                    sha256: content.sha256.hexadecimal, size: content.size,
                    created: Date(timeIntervalSince1970: Double(snapshot.takenAt.microseconds) / 1_000_000)
                        .formatted(.iso8601),
                    columns: AdministratorsSheet.columns.map(\.title), options: options, warnings: warnings)
            ).bytes
        }
        try output.store.verify(storeID: output.storeID, mayCreate: false)
        try output.partial.publish()
        return JobResult(
            rows: rows, sheets: summary.sheets, size: written.content.size,
            sha256: written.content.sha256.hexadecimal, scopeDigest: snapshot.permission.scope.hexadecimalDigest,
            day: snapshot.day, warnings: String(decoding: try JSON.encoder.encode(warnings), as: UTF8.self))
    }
}

/// What an archive says about itself, without the database.
private struct Manifest: Encodable {
    let job: String
    let tenant: String
    let actor: String
    let rows: Int
    let sheets: Int
    let sha256: String
    let size: Int
    let created: String
    let columns: [String]
    let options: ExportOptions
    let warnings: [Warning]
}

extension Data {
    fileprivate var bytes: [UInt8] { Array(self) }
}

extension ClaimedJob {
    /// Where this epoch's file belongs.
    var archiveName: ArchiveName { archiveName(epoch: epoch) }

    func archiveName(epoch: Int) -> ArchiveName {
        ArchiveName(
            tenant: tenantSlug, year: createdMonth.year, month: createdMonth.month, job: id.description, epoch: epoch)
    }
}

extension Job {
    /// Where the file is that the row names; nil where it names none.
    var archiveName: ArchiveName? {
        archiveEpoch.map {
            ArchiveName(
                tenant: tenantSlug, year: createdMonth.year, month: createdMonth.month, job: id.description, epoch: $0)
        }
    }
}
