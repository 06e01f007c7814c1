/// How a worker ends an attempt.
///
/// ``JobMachine`` applies an end to its state, and ``LeaseStore`` writes it to the database. Both go by ``exit``.
enum AttemptEnd: Sendable, Hashable {
    /// The workbook is published.
    case succeeded(JobResult)
    /// The attempt failed for good.
    case failed(JobFailure)
    /// A caller cancelled the job, and the worker has stopped the attempt.
    case cancelled
    /// The worker stops. The attempt does not count.
    case handedBack
    /// The worker lost its lease, and no other worker has claimed the job since. The attempt counts, but not as a crash.
    case returned(RetryPolicy)
    /// The attempt failed for a reason that may pass. The row shows the reason until the next attempt.
    case retried(JobFailure, RetryPolicy)

    /// When the next attempt may start, and after which time there is none.
    struct RetryPolicy: Sendable, Hashable {
        /// The time before the next attempt.
        var delay: Duration
        /// The job fails if its first attempt started longer ago than this…
        var giveUpAfter: Duration
        /// …and it has had at least so many attempts.
        var minAttempts = 0
    }

    /// The name of the end in log entries, and of its statement.
    /// For logs.
    var name: String {
        switch self {
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .cancelled: "cancelled"
        case .handedBack: "handed-back"
        case .returned: "returned"
        case .retried: "retried"
        }
    }

    /// Whether the statement requires an unexpired lease. To give a job back, an unchanged epoch is enough: it proves that no
    /// other worker has had the job.
    var needsLease: Bool {
        switch self {
        case .succeeded, .failed, .cancelled, .retried: true
        case .handedBack, .returned: false
        }
    }

    /// What the end does to the job.
    var exit: RunExit {
        switch self {
        case .succeeded: RunExit(.final(.succeeded))
        case .failed: RunExit(.final(.failed))
        case .cancelled: RunExit(.final(.cancelled))
        case .handedBack: RunExit(.queue(failing: .never), attempts: -1)
        case .returned, .retried: RunExit(.queue(failing: .whenTooLate))
        }
    }
}

/// Why a sweep takes a job from its worker.
enum SweepReason: Sendable, Hashable, CaseIterable {
    /// The lease has expired: the worker is dead, stopped or cut off.
    case leaseOver
    /// The worker's session with the database has ended, and the worker has not renewed the lease since: it is dead. It is not counted
    /// as a crash, because a session can be lost otherwise.
    case sessionOver
    /// The deadline passed one lease duration ago and the worker still renews the lease: it hangs.
    case overdue
    /// The job has no lease. Only a manual change of the tables can cause this.
    case leaseMissing

    /// What the sweep does to the job.
    var exit: RunExit {
        switch self {
        case .leaseOver, .leaseMissing: RunExit(.queue(failing: .afterCrashes), crashes: 1)
        case .sessionOver: RunExit(.queue(failing: .afterLosses), losses: 1)
        case .overdue: RunExit(.queue(failing: .always))
        }
    }
}

/// What happens to a job when it leaves the state `running`: the one definition for ``JobMachine`` and for the SQL.
struct RunExit: Sendable, Hashable {
    /// The state of the job after the attempt.
    enum Target: Sendable, Hashable {
        /// This final state.
        case final(JobState)
        /// Cancelled if that was requested, else failed on the condition, else back to the queue.
        case queue(failing: Condition)
    }

    enum Condition: Sendable, Hashable {
        /// The job does not fail.
        case never
        /// The job always fails.
        case always
        /// The job has had ``JobMachine/maxCrashes`` crashes, this one included.
        case afterCrashes
        /// The job has had ``JobMachine/maxLosses`` losses, this one included.
        case afterLosses
        /// See ``AttemptEnd/RetryPolicy``.
        case whenTooLate
    }

    let target: Target
    /// Added to the count of attempts.
    let attempts: Int
    /// Added to the count of crashes.
    let crashes: Int
    /// Added to the count of losses.
    let losses: Int

    init(_ target: Target, attempts: Int = 0, crashes: Int = 0, losses: Int = 0) {
        self.target = target
        self.attempts = attempts
        self.crashes = crashes
        self.losses = losses
    }
}

/// The workbook of a finished job, as its row describes it.
package struct JobResult: Sendable, Hashable {
    /// Administrators in the workbook.
    package let rows: Int
    /// Sheets of the workbook, including those that continue a full sheet.
    package let sheets: Int
    /// Bytes of the workbook as it is delivered.
    package let size: Int
    /// The SHA-256 of the workbook, in hexadecimal.
    package let sha256: String
    /// The digest of the scope with which the actor exported, in hexadecimal; see `Scope.digest(_:)`.
    package let scopeDigest: String
    /// The titles of the columns of the first sheet; nil if it has the ten fixed ones only.
    package let columns: [String]?
    /// The columns of `directory.administrator` that the file has besides those of each export.
    package let attributes: [String]
    /// The permissions that a profile needs for columns of the file.
    package let columnPermissions: [String]
    /// The day of the data in the tenant's time zone, `yyyy-mm-dd`.
    package let day: String
    /// Values that the export could not write unchanged, as JSON: `[{"kind", "count"}]`.
    package let warnings: String
    /// The receipt as JSON, for the row; nil if nothing signs receipts, and in a job that was read.
    package let receipt: String?

    /// A workbook with these properties.
    package init(
        rows: Int, sheets: Int, size: Int, sha256: String, scopeDigest: String, columns: [String]?,
        attributes: [String], columnPermissions: [String], day: String, warnings: String, receipt: String? = nil
    ) {
        self.rows = rows
        self.sheets = sheets
        self.size = size
        self.sha256 = sha256
        self.scopeDigest = scopeDigest
        self.columns = columns
        self.attributes = attributes
        self.columnPermissions = columnPermissions
        self.day = day
        self.warnings = warnings
        self.receipt = receipt
    }
}

/// Why an attempt failed.
package struct JobFailure: Error, Sendable, Hashable {
    /// The kind of the failure, for programs: a raw value of `FailureKind`.
    package let kind: String
    /// A sentence for people, without data of the directory.
    package let message: String
    /// Whether the same job may succeed later.
    package let isTransient: Bool
    /// Whether retries end when one attempt's time limit has passed since the first attempt. Otherwise they end after
    /// `Worker.Configuration.giveUpAfter`.
    package let isTriedUntilDeadline: Bool

    /// A failure; permanent, unless it is marked transient.
    package init(kind: String, message: String, isTransient: Bool = false, isTriedUntilDeadline: Bool = false) {
        self.kind = kind
        self.message = message
        self.isTransient = isTransient
        self.isTriedUntilDeadline = isTriedUntilDeadline
    }

    /// The attempt ran past its deadline.
    static let deadlineExceeded = JobFailure(
        kind: "deadline-exceeded", message: "The export took longer than the limit allows. Ask the operators.")
    /// The job's leases expired too often.
    static let workerCrashed = JobFailure(
        kind: "worker-crashed",
        message: "The worker stopped without notice \(JobMachine.maxCrashes) times. Ask the operators.")
    /// The session of the job's worker ended too often.
    static let workerLost = JobFailure(
        kind: "worker-crashed",
        message: "The worker stopped without notice \(JobMachine.maxLosses) times. Ask the operators.")
    /// The job was returned too often and for too long.
    static let workerSuspended = JobFailure(
        kind: "worker-crashed", message: "The worker was suspended for too long, several times. Ask the operators.")
}
