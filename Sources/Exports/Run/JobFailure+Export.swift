private import Archive
internal import Directory
private import Postgres

extension JobFailure {
    /// The failure that users and programs see for an error of an export. It has no path, no secret and no personal data.
    init(exportError error: any Error) {
        switch error {
        case let error as DirectoryError:
            self.init(error)
        case is DirectoryBehind:
            self.init(
                kind: "permission-denied",
                message:
                    "The standby server from which exports are read does not have the administrator's permission yet. "
                    + "The service tries the export again.",
                isTransient: true, isTriedUntilDeadline: true)
        case let error as PostgresError where error.isTransient || [.refused, .unsuitable].contains(error.code):
            self.init(
                kind: "database-unavailable", message: "The database was not available. The service tries the export again.",
                isTransient: true)
        case let error as ArchiveError where error.code == .storageFull:
            self.init(
                kind: "storage-full", message: "The disk for archives is full. The service tries the export again.",
                isTransient: true)
        case let error as ArchiveError where error.fault == .permanent:
            self.init(
                kind: "storage-failed",
                message: "This disk cannot store the archive under its name or at its size. Ask the operators.")
        case let error as ArchiveError where error.fault == .passing:
            self.init(
                kind: "storage-failed", message: "The archive could not be written. The service tries the export again.",
                isTransient: true)
        default:
            self.init(
                kind: "internal-error",
                message:
                    "An internal error occurred in the service. Ask the operators: the service's log contains the cause.")
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
                    : "PostgreSQL does not know the tenant's time zone \"\(name)\". Set it to a name that pg_timezone_names lists, "
                        + "such as Europe/Paris, and start again.")
        case .sourceInvalid(let fault):
            self.init(kind: "source-invalid", message: "The directory violates its contract: \(fault).")
        case .unsettled(let fault):
            self.init(
                kind: "source-invalid",
                message: "The directory violates its contract: \(fault). The service tries the export again.",
                isTransient: true)
        }
    }
}

extension Denial {
    /// The message for people.
    package var sentence: String {
        switch self {
        case .unknownTenant: "The tenant does not exist."
        case .unknownAdministrator: "The tenant has no such administrator."
        case .ambiguousActor:
            "Several accounts of the tenant have this e-mail address, and either several of them or none are enabled. Correct the addresses, or enable exactly one of the accounts."
        case .disabled: "The administrator's account is disabled."
        case .noPermission: "The administrator's profile has no permission to view administrators."
        case .columnsChanged:
            "A column of the export is no longer configured, or the administrator's profile does not have the permission for it. Start a new export."
        case .scopeChanged:
            "The accounts or the names of groups that the administrator may see have changed since the export was made. Start a new export."
        }
    }
}
