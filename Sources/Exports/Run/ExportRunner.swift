internal import Archive
package import Directory
package import Postgres

/// Runs an export: reads rows from one snapshot and writes them into a workbook in an archive.
package struct ExportRunner: JobRunner {
    private let directory: PostgresPool
    private let guardian: StorageGuard
    private let contract: DirectoryContract
    private let disk: ArchiveDisk
    private let settings: WorkbookSettings
    private let otherGroups: @Sendable () -> OtherGroups
    private let attributes: [Attribute]
    private let signer: EvidenceSigner?

    /// A runner.
    ///
    /// - Parameters:
    ///   - directory: the pool of connections to the directory's database.
    ///   - contract: the last inspection of the directory.
    ///   - attributes: the further columns of workbooks.
    ///   - otherGroups: what workbooks contain of groups outside the actor's scope.
    ///   - signer: signs the receipts; nil for none.
    package init(
        directory: PostgresPool, storage guardian: StorageGuard, contract: DirectoryContract, disk: ArchiveDisk,
        settings: WorkbookSettings, attributes: [Attribute] = [], otherGroups: @escaping @Sendable () -> OtherGroups,
        signer: EvidenceSigner? = nil
    ) {
        self.signer = signer
        self.settings = settings
        self.otherGroups = otherGroups
        self.attributes = attributes
        self.directory = directory
        self.guardian = guardian
        self.contract = contract
        self.disk = disk
    }

    /// Throws if the directory or the disk prevents exports now.
    package func checkReadiness() async throws {
        try contract.checkClaim()
        try await guardian.verify()
    }

    /// The state of the disk at the last check or attempt: `ok`, `full`, `failed` or `wrong-store`.
    package func storage() async -> String {
        await guardian.word
    }

    /// Writes the workbook of the job from one snapshot, and publishes it as the file of the job's epoch.
    ///
    /// - Throws: ``LeaseOver`` once the lease has ended, `CancellationError`, and every error that ``failure(for:)`` describes.
    ///   No file remains after an error, if it can be removed.
    package func run(_ job: ClaimedJob, progress: ProgressCounter, lease: LeaseClock) async throws -> JobResult {
        let options = try ExportOptions(json: job.options)
        try contract.checkExport()
        // Files of workers that died with this job. Only the current epoch can be published.
        for epoch in max(1, job.epoch - 8)..<job.epoch { await disk.remove(quietly: job.archiveName(epoch: epoch)) }
        do {
            // The file is finished after the snapshot's transaction, whose end can still fail.
            let file = try await rows(job, options, progress: progress, lease: lease)
            return try await file.finish(lease: lease)
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

    /// After this number of attempts a refusal that no inspection explains counts as permanent.
    private static let maxRefusals = 6

    /// After a refused statement the directory is inspected and the export retried: somebody may have replaced its views at that
    /// moment. The inspection decides about the next attempt.
    private func judged(_ error: any Error, attempt: Int) -> any Error {
        switch error {
        case let error as PostgresError where error.isRefusal && ServiceStatements.names.contains(error.query ?? ""):
            contract.requestInspection()
            // In these classes the server's message has names of relations and columns only.
            let fault = "PostgreSQL refuses to read it: \(error.serverMessage ?? "SQLSTATE \(error.sqlState ?? "")")"
            return attempt < Self.maxRefusals ? DirectoryError.unsettled(fault) : DirectoryError.sourceInvalid(fault)
        case let error as PostgresError where error.isEvaluationFault && ServiceStatements.names.contains(error.query ?? ""):
            contract.requestInspection()
            // In these classes the server's message may quote data.
            let fault = "PostgreSQL cannot compute its values in \(error.query ?? "") (SQLSTATE \(error.sqlState ?? ""))"
            // The keys may have had another type when they were last read, or when the job was started.
            return error.sqlState == SQLState.invalidTextRepresentation && attempt < Self.maxRefusals
                ? DirectoryError.unsettled(fault) : DirectoryError.sourceInvalid(fault)
        case DirectoryError.sourceInvalid:
            contract.requestInspection()
            return error
        default:
            return error
        }
    }

    /// Writes every row of the snapshot.
    private func rows(
        _ job: ClaimedJob, _ options: ExportOptions, progress: ProgressCounter, lease: LeaseClock
    ) async throws -> ExportFile {
        let keys = try contract.keys
        var receipts: ExportFile.Receipts?
        if let signer, signer.mayAct {
            receipts = ExportFile.Receipts(signer: signer, installation: try await signer.installation())
        }
        return try await Snapshot.read(
            actor: .keys(tenant: job.tenantKey, actor: job.actorKey), includeDisabled: options.includeDisabled,
            includeGroupTree: options.includeReferences,
            describedFor: options.includeAbout || receipts != nil ? job.createdAt : nil,
            otherGroups: otherGroups(), attributes: attributes, keys: keys, pool: directory,
            role: DatabaseRole.worker,
            checkTypes: { [contract] in try contract.check(types: $0, keys: keys) }
        ) { [disk, settings, guardian, receipts] snapshot, pages in
            progress.begin(total: snapshot.rowsTotal)
            let file = ExportFile(
                job: job, options: options, settings: settings, snapshot: snapshot, receipts: receipts)
            // Not earlier: the counts may have taken minutes, in which the file system may be unmounted.
            try await file.write(pages, in: disk.store, id: guardian.storeID(), progress: progress, lease: lease)
            return file
        }
    }

    /// Removes the file of the job's epoch, if that is possible now.
    package func discard(_ job: ClaimedJob) async {
        await disk.remove(quietly: job.archiveName)
    }

    /// Describes an error of ``run(_:progress:lease:)`` for users and programs.
    package func failure(for error: any Error) -> JobFailure {
        JobFailure(exportError: error)
    }
}

/// A denial by a standby that may not have replayed yet what the start of the export saw.
struct DirectoryBehind: Error {
    let denial: Denial

    /// Decides whether a denial of a running export is final: a standby may deny because it lags behind the start.
    ///
    /// The start found that the actor may export, so only a transaction that was committed after the job was created can remove
    /// that permission. While the standby has replayed no such transaction, its denial is older than the start. Once it has, the
    /// permission is checked again, since the export's snapshot may be older than that replay.
    ///
    /// - Returns: the error of the attempt.
    static func judge(
        _ error: DirectoryError, of job: ClaimedJob, keys: KeyTypes, pool: PostgresPool, role: String
    ) async -> any Error {
        guard case .denied(let denial) = error else { return error }
        do {
            return try await pool.withConnection { connection in
                switch try await hasReplayed(past: job.createdAt, on: connection) {
                case nil: return error
                case false?: return DirectoryBehind(denial: denial)
                case true?: break
                }
                do {
                    _ = try await connection.withTransaction(readOnly: true, role: role) { connection in
                        try await ExportPermission.check(
                            .keys(tenant: job.tenantKey, actor: job.actorKey), keys: keys, on: connection)
                    }
                    return DirectoryBehind(denial: denial)
                } catch let error as DirectoryError {
                    return error
                }
            }
        } catch {
            return error
        }
    }

    /// Whether the standby has replayed a transaction that was committed after the moment; nil if the server is not a standby.
    private static func hasReplayed(
        past moment: Timestamp, on connection: isolated PostgresConnection
    ) async throws -> Bool? {
        let rows = try await connection.query(
            Query(
                "replayed",
                """
                SELECT pg_is_in_recovery() AS recovering, coalesce(pg_last_xact_replay_timestamp()
                    > '1970-01-01 00:00+00'::timestamptz + $1::bigint * interval '1 microsecond', false) AS replayed
                """, [.integer(Int(moment.microseconds))]))
        guard let row = rows.first, try row.decode("recovering") else { return nil }
        return try row.decode("replayed")
    }
}
