private import Archive
internal import Directory
private import Postgres

extension JobFailure {
    /// An error of an export as users and programs are told of it: no path, no secret, nobody's data.
    init(exportError error: any Error) {
        switch error {
        case let error as DirectoryError:
            self.init(error)
        case is DirectoryBehind:
            self.init(
                kind: "permission-denied",
                message:
                    "The standby server that exports are read from does not show yet that the administrator may export. "
                    + "The export is tried again.",
                isTransient: true, isTriedUntilDeadline: true)
        case let error as PostgresError where error.isTransient || [.refused, .unsuitable].contains(error.code):
            self.init(
                kind: "database-unavailable", message: "The database was not available. The export is tried again.",
                isTransient: true)
        case let error as ArchiveError where error.code == .storageFull:
            self.init(
                kind: "storage-full", message: "The disk for archives is full. The export is tried again.",
                isTransient: true)
        case let error as ArchiveError where error.fault == .permanent:
            self.init(
                kind: "storage-failed",
                message: "The archive cannot be kept on this disk under its name or at its size. Ask the operators.")
        case let error as ArchiveError where error.fault == .passing:
            self.init(
                kind: "storage-failed", message: "The archive could not be written. The export is tried again.",
                isTransient: true)
        default:
            self.init(kind: "internal-error", message: "Something went wrong in the service. Ask the operators.")
        }
    }

    private init(_ error: DirectoryError) {
        switch error {
        case .denied(let denial):
            self.init(kind: "permission-denied", message: denial.sentence)
        case .unknownTimeZone(let name):
            self.init(
                kind: "unknown-time-zone",
                message: name.isEmpty
                    ? "The tenant has no time zone. Set it to a name that PostgreSQL's pg_timezone_names lists, such as "
                        + "Europe/Paris, and start again."
                    : "The tenant's time zone \"\(name)\" is no name that PostgreSQL's pg_timezone_names lists. Set it to one "
                        + "of those, such as Europe/Paris, and start again.")
        case .sourceInvalid(let fault):
            self.init(kind: "source-invalid", message: "The directory does not hold to its contract: \(fault).")
        case .unsettled(let fault):
            self.init(
                kind: "source-invalid",
                message: "The directory does not hold to its contract: \(fault). The export is tried again.",
                isTransient: true)
        }
    }
}

extension Denial {
    /// For people.
    package var sentence: String {
        switch self {
        case .unknownTenant: "There is no such tenant."
        case .unknownAdministrator: "There is no such administrator in the tenant."
        case .ambiguousActor:
            "Several accounts of the tenant have this e-mail address, and it is ambiguous unless exactly one of them is enabled. Correct the addresses or disable the others."
        case .disabled: "The administrator's account is disabled."
        case .noPermission: "The administrator's profile has no permission to view administrators."
        case .scopeChanged: "The administrator no longer sees what the export holds. Start a new export."
        }
    }
}
