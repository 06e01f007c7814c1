internal import Archive
package import Directory
package import Postgres

/// Runs an export: rows from one snapshot, into a workbook, into an archive.
package struct ExportRunner: JobRunner {
    private let directory: PostgresPool
    private let guardian: StorageGuard
    private let contract: DirectoryContract
    private let disk: ArchiveDisk
    private let settings: WorkbookSettings

    package init(
        directory: PostgresPool, storage guardian: StorageGuard, contract: DirectoryContract, disk: ArchiveDisk,
        settings: WorkbookSettings
    ) {
        self.settings = settings
        self.directory = directory
        self.guardian = guardian
        self.contract = contract
        self.disk = disk
    }

    package func checkReadiness() async throws {
        try contract.checkClaim()
        try await guardian.verify()
    }

    package func storage() async -> String {
        await guardian.word
    }

    package func run(_ job: ClaimedJob, progress: Progress, lease: LeaseClock) async throws -> JobResult {
        let options = try ExportOptions(json: job.options)
        try contract.checkExport()
        // What workers have left that died with this job: no epoch but this one can be published any more.
        for epoch in max(1, job.epoch - 8)..<job.epoch { await disk.remove(quietly: job.archiveName(epoch: epoch)) }
        do {
            // The file is finished after the snapshot's transaction: nothing that still can fail comes behind it.
            let file = try await rows(job, options, progress: progress, lease: lease)
            try await file.writeReferences()
            try lease.check()
            return try await file.finish()
        } catch {
            await guardian.note(error)
            await disk.remove(quietly: job.archiveName)
            guard let denial = error as? DirectoryError, case .denied = denial else {
                throw judged(error, attempt: job.attempt)
            }
            throw await DirectoryBehind.judge(
                denial, of: job, keys: try contract.keys, pool: directory, role: DatabaseRole.worker)
        }
    }

    /// After so many attempts a refusal that no look at the directory explains is taken for lasting.
    private static let maxRefusals = 6

    /// After a refused statement the directory is inspected again, and the export tried again: its views may have been
    /// replaced at that moment. The inspection decides about the next attempt.
    private func judged(_ error: any Error, attempt: Int) -> any Error {
        switch error {
        case let error as PostgresError where error.isRefusal && ServiceStatements.names.contains(error.query ?? ""):
            contract.lookAgain()
            // Of these classes the server's words are names of relations and columns.
            let fault = "PostgreSQL refuses to read it: \(error.serverMessage ?? "SQLSTATE \(error.sqlState ?? "")")"
            return attempt < Self.maxRefusals ? DirectoryError.unsettled(fault) : DirectoryError.sourceInvalid(fault)
        case let error as PostgresError where error.isEvaluationFault && ServiceStatements.names.contains(error.query ?? ""):
            contract.lookAgain()
            // Of these classes the server's words may quote data.
            let fault = "PostgreSQL cannot compute its values in \(error.query ?? "") (SQLSTATE \(error.sqlState ?? ""))"
            // The keys may have had another type when they were read last, or when the job was asked for.
            return error.sqlState == SQLState.invalidTextRepresentation && attempt < Self.maxRefusals
                ? DirectoryError.unsettled(fault) : DirectoryError.sourceInvalid(fault)
        case DirectoryError.sourceInvalid:
            contract.lookAgain()
            return error
        default:
            return error
        }
    }

    /// Writes every row of the snapshot.
    private func rows(
        _ job: ClaimedJob, _ options: ExportOptions, progress: Progress, lease: LeaseClock
    ) async throws -> ExportFile {
        try await Snapshot.read(
            actor: .keys(tenant: job.tenantKey, actor: job.actorKey), includeDisabled: options.includeDisabled,
            includeGroupTree: options.includeReferences, keys: try contract.keys, pool: directory, role: DatabaseRole.worker
        ) { [disk, settings, guardian, contract] snapshot, pages in
            guard contract.accepts(types: snapshot.types) else {
                contract.lookAgain()
                throw DirectoryError.unsettled("columns of the directory have changed since they were checked")
            }
            progress.begin(total: snapshot.rowsTotal)
            let file = ExportFile(job: job, options: options, settings: settings, snapshot: snapshot)
            // Not before: the counts may have taken minutes, and the file system may have gone meanwhile.
            try await file.open(in: disk.store, id: guardian.storeID())
            var rows = 0
            for await page in pages {
                rows = try await file.write(page)
                progress.advance(to: rows)
                try Task.checkCancellation()
                try lease.check()
            }
            // A stream ends early when its task is cancelled, and pages would go missing if keys did not compare as they are
            // ordered: a file with fewer rows than the snapshot has is never published.
            try Task.checkCancellation()
            guard rows == snapshot.rowsTotal else {
                throw DirectoryError.sourceInvalid("\(snapshot.rowsTotal) administrators were counted, but \(rows) came")
            }
            if await file.hasUnresolved { await file.resolve(elsewhere: try await pages.linksElsewhere()) }
            return file
        }
    }

    package func discard(_ job: ClaimedJob) async {
        await disk.remove(quietly: job.archiveName)
    }

    package func failure(for error: any Error) -> JobFailure {
        JobFailure(exportError: error)
    }
}
