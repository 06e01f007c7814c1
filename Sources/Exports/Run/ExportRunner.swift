package import Archive
package import Directory
package import Jobs
package import Postgres

/// Runs an export: rows from one snapshot, into a workbook, into an archive.
package struct ExportRunner: JobRunner {
    private let directory: PostgresPool
    private let database: WorkerDatabase
    private let contract: DirectoryContract
    private let store: ArchiveStore

    package init(directory: PostgresPool, database: WorkerDatabase, contract: DirectoryContract, store: ArchiveStore) {
        self.directory = directory
        self.database = database
        self.contract = contract
        self.store = store
    }

    package func checkReadiness() async throws {
        _ = try contract.keys
        try await StoreCheck(database: database, store: store).verify()
    }

    package func run(_ job: ClaimedJob, progress: Progress) async throws -> JobResult {
        let options = try ExportOptions(json: job.options)
        return try await Snapshot.read(
            actor: .keys(tenant: job.tenantKey, actor: job.actorKey), includeDisabled: options.includeDisabled,
            keys: try contract.keys, pool: directory, role: DatabaseRole.worker
        ) { [store] snapshot, pages in
            progress.begin(total: snapshot.rowsTotal)
            let file = ExportFile(job: job, options: options, snapshot: snapshot)
            try await file.open(in: store)
            var rows = 0
            for await page in pages {
                rows = try await file.write(page)
                progress.advance(to: rows)
                try Task.checkCancellation()
            }
            // A stream ends early when its task is cancelled, and pages would go missing if keys did not compare as they are
            // ordered: a file with fewer rows than the snapshot has is never published.
            try Task.checkCancellation()
            guard rows == snapshot.rowsTotal else {
                throw DirectoryError.sourceInvalid("\(snapshot.rowsTotal) administrators were counted, but \(rows) came")
            }
            return try await file.finish()
        }
    }

    package func discard(_ job: ClaimedJob) async {
        // What cannot be removed now is an orphan: no row names its epoch.
        try? store.remove(job.archiveName)
    }

    package func failure(for error: any Error) -> JobFailure {
        JobFailure(exportError: error)
    }
}
