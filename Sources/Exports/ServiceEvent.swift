package import Logging

/// An event that the service logs. It has an id, by which the journal finds its entries (`MESSAGE_ID`), a level, a message for
/// people, and the fields that each of its entries has. `systemd/adminexport.catalog` has a text for each event.
///
/// Each module lists its events in an enum: ``ExportEvent``, and `DaemonEvent` in the daemon. The raw value is the event's
/// name. Ids and names do not change; messages may be reworded at any time.
package protocol ServiceEvent: CaseIterable, CustomStringConvertible, RawRepresentable, Sendable where RawValue == String {
    /// The id, level, message and fields of the event.
    var entry: EventEntry { get }
}

extension ServiceEvent {
    /// The event's name, which does not change.
    package var description: String { rawValue }
}

/// What all log entries of an event have in common.
package struct EventEntry: Sendable {
    /// 128 bits as 32 hexadecimal digits, made by `journalctl --new-id128`.
    package let id: String
    /// The level at which the event is logged.
    package let level: Logger.Level
    /// A sentence for people. It contains no data and may be reworded at any time.
    package let message: String
    /// The keys that each entry has beside the message, from the call or from its logger. The text of the catalog may refer to
    /// them.
    package let fields: [LogKey]

    /// An id, a level, a message and the keys that each entry has.
    package init(_ id: String, _ level: Logger.Level, _ message: String, _ fields: [LogKey] = []) {
        self.id = id
        self.level = level
        self.message = message
        self.fields = fields
    }
}

/// The keys of log entries. The journal has `job` as the field `ADMINEXPORT_JOB`.
package enum LogKey: String, Sendable {
    /// The number of the attempt of a job, from 1.
    case attempt
    /// Why a sweep took a job from its worker: the name of a `SweepReason`.
    case because
    /// The number of a checkpoint of the audit trail.
    case checkpoint
    /// The number of connections that were closed.
    case connections
    /// The database whose login has too few connections: `jobs` or `directory`.
    case database
    /// The number of directories that cannot be read.
    case directories
    /// How an attempt or a transfer ended.
    case end
    /// A signed statement: a DSSE envelope as JSON.
    case envelope
    /// The epoch of an attempt, which is its fencing token.
    case epoch
    /// The error, as its `description`.
    case error
    /// The name of the event. Each entry has it.
    case event
    /// The number of audit events that wait, are lost, or are covered by a checkpoint.
    case events
    /// What is wrong with the schema or the directory, in words.
    case fault
    /// The number of files.
    case files
    /// The id of the job.
    case job
    /// The kind of a failure, as in the job's `error.kind`.
    case kind
    /// The method of a request.
    case method
    /// Why the directory may omit rows, in words.
    case note
    /// Why a connection was refused, in words.
    case reason
    /// Configuration keys whose new values take effect after a restart.
    case restartNeeded = "restart_needed"
    /// A duration in whole seconds.
    case seconds
    /// The SHA-256 of a checkpoint's statement, in hexadecimal.
    case digest
    /// Which side of a connection stalled: the peer does not read, or it does not finish a line.
    case side
    /// The number of corrected counts of running jobs.
    case slots
    /// The state of a job after an attempt.
    case state
    /// The number of entries of this event that were left out since the last one.
    case suppressed
    /// The slug of the tenant.
    case tenant
    /// Whether the same job may succeed later.
    case transient
    /// The user ID of the calling process. The journal has it as `ADMINEXPORT_PEER_UID`.
    case uid
    /// The version of the program.
    case version
    /// The end that an attempt was to have when it handed the job back instead.
    case wanted
    /// A warning about the configuration, in words.
    case warning
    /// The id of the worker.
    case worker
    /// The number of jobs that the process runs at a time.
    case workers
}

extension Logger {
    /// Logs an event, with the fields of this entry. A debug build checks that the entry has all fields of its event.
    package func report(
        _ event: any ServiceEvent, _ fields: [LogKey: any Sendable] = [:], file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        let entry = event.entry
        guard logLevel <= entry.level else { return }
        var metadata: Metadata = [LogKey.event.rawValue: .stringConvertible(event)]
        for (key, value) in fields { metadata[key.rawValue] = "\(value)" }
        assert(entry.fields.allSatisfy { (metadata[$0.rawValue] ?? self[metadataKey: $0.rawValue]) != nil }, "\(event)")
        log(level: entry.level, "\(entry.message)", metadata: metadata, file: file, function: function, line: line)
    }

    /// Returns the same logger; its entries also have these fields.
    package func with(_ fields: [LogKey: any Sendable]) -> Logger {
        var logger = self
        for (key, value) in fields { logger[metadataKey: key.rawValue] = "\(value)" }
        return logger
    }
}

/// The events about jobs, workers, archives and the audit trail.
package enum ExportEvent: String, ServiceEvent {
    /// Attempts of jobs.
    case attemptStarted, attemptEnded, attemptFailed, endNotRecorded, lateWriteRefused, jobRescued
    /// The worker's loop and its maintenance.
    case workerNotReady, claimFailed, rescueFailed, leaseNotRenewed, maintenanceFailed, slotsNotCounted, slotsCorrected
    /// Notifications, and the watch of jobs for callers.
    case notListening, watchFailed
    /// Archives that cannot be read, and the removal of expired archives.
    case archiveUnreadable, archiveRemoved, archiveNotRemoved, archivesNotRemoved, sweepFailed
    /// The sweep of files that no job names, and what it found besides archives.
    case orphansRemoved, orphansNotRemoved, foreignEntries, directoriesUnreadable
    /// Downloads through pipes.
    case transferEnded, transferStalled
    /// Audit events that the database does not store now, or that were dropped.
    case auditDelayed, auditLost
    /// Checkpoints of the audit trail.
    case checkpointMade, checkpointDelayed, checkpointFailed

    /// The id, level, message and fields of the event.
    package var entry: EventEntry {
        switch self {
        case .attemptStarted:
            .init("2e6ee85d09014d12a4e48c5141c99da6", .info, "The attempt started", [.job, .attempt, .tenant])
        case .attemptEnded: .init("5602f6fe700a4462b1a2c982d4c1c8a3", .info, "The attempt ended", [.job, .end])
        case .attemptFailed:
            .init("fe778faacc96462b844db98e3ec7946b", .warning, "The attempt failed", [.job, .kind, .transient, .error])
        case .endNotRecorded:
            .init(
                "8bf3d7fcaca6473084e6baa67af61521", .error, "The worker cannot record how the attempt ended",
                [.job, .end, .error])
        case .lateWriteRefused:
            .init("cf81414c802549aebb57633c0c78eaea", .warning, "The job no longer belongs to this worker", [.job, .end])
        case .jobRescued:
            .init("91d29da77e0344bf8b7829e78336c0c2", .notice, "Took a job from a worker that stopped", [.because])
        case .workerNotReady:
            .init("6103a5a80ce54bb5b833711ae8de02d6", .warning, "The worker is not ready for jobs", [.error])
        case .claimFailed: .init("3cc57d93536440fb86af0444f48dc6f6", .warning, "The worker cannot claim jobs", [.error])
        case .rescueFailed:
            .init(
                "ad97e4f4d75d4bbf8444bc225e419b4d", .warning, "The worker cannot take jobs from workers that stopped",
                [.error])
        case .leaseNotRenewed:
            .init("f885b23014944efb8a0a91e7dce82660", .warning, "The worker cannot renew the lease", [.job, .error])
        case .maintenanceFailed:
            .init("379b54ecfacb49c0893d1740dfac93a6", .warning, "The worker cannot remove old rows of the queue", [.error])
        case .slotsNotCounted:
            .init("1814bebd429847ce992633563ae3ca5d", .warning, "The worker cannot count the running jobs", [.error])
        case .slotsCorrected:
            .init("9d93edb2fca04aa0a29189a89ea21b57", .error, "Corrected wrong counts of running jobs", [.slots])
        case .notListening:
            .init(
                "9c9a843a9edd4d4a857f2fd60e957ed9", .notice,
                "Cannot listen for notifications; polling every few seconds instead", [.error])
        case .watchFailed:
            .init("1ec0c106d1374341a06d292c8347da72", .warning, "Cannot read the jobs that callers watch", [.error])
        case .archiveUnreadable: .init("43e1977d3abc4764b57045e434549b93", .error, "Cannot read an archive", [.error])
        case .archiveRemoved: .init("11b164f1a92549f282b1fd4e5ebf3148", .info, "Removed an expired archive", [.job])
        case .archiveNotRemoved:
            .init("cabb161358de422f93e8a6f8271fe782", .debug, "Cannot remove an expired archive", [.job, .error])
        case .archivesNotRemoved:
            .init("27877adc65e3473ab5a59c4a240c9b53", .warning, "Cannot remove expired archives", [.files])
        case .sweepFailed: .init("cf9eea314a81435ca0b94652995a9da0", .notice, "Cannot sweep the archives", [.error])
        case .orphansRemoved: .init("b3c3800b3814486e9dd8eb2c6055d1a0", .notice, "Removed files that no job names", [.files])
        case .orphansNotRemoved:
            .init("0c7b9c2d4e5f4a61b8d3e2f1a09b8c7d", .warning, "Cannot remove files that no job names", [.files])
        case .foreignEntries:
            .init("b2b1f3b7c0a94f7a9d7a6c1f0f0e5d42", .warning, "Found entries that are not archives", [.files])
        case .directoriesUnreadable:
            .init("5d0f1f7be2c94a0c8a4b7c1d9e6f3a20", .warning, "Cannot read directories of archives", [.directories])
        case .transferEnded: .init("4d04b099ea7e4a83a4cbc0619505872e", .debug, "A download through a pipe ended", [.end])
        case .transferStalled:
            .init("df9cb576c1384d078a7aee36792dbf66", .notice, "Ended a download whose reader did not read")
        case .auditDelayed:
            .init("1b43670d720c4996af758bf21ea5d6e3", .warning, "Cannot write to the audit trail", [.events, .error])
        case .auditLost:
            .init("379b48eae14d4ef3b26fad9ba6d10392", .error, "Events are missing from the audit trail", [.events])
        case .checkpointMade:
            .init(
                "af1daefca55f411ca9915f83b928606b", .notice, "Signed a checkpoint of the audit trail",
                [.checkpoint, .events, .digest, .envelope])
        case .checkpointDelayed:
            .init(
                "b933620c3e3a4109a365391d65052a67", .warning,
                "Cannot sign a checkpoint of the audit trail while a transaction is open", [.seconds])
        case .checkpointFailed:
            .init("e3ba6a678f244db4a90051a243a57734", .warning, "Cannot sign a checkpoint of the audit trail", [.error])
        }
    }
}
