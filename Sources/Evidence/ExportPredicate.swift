/// The description of a workbook: in its archive, readable without the database, and in its receipt.
package struct Manifest: Codable, Sendable, Hashable {
    /// What the caller chose.
    package struct Options: Codable, Sendable, Hashable {
        /// Whether disabled accounts are in the workbook.
        package let includeDisabled: Bool
        /// Whether sheets with profiles, groups and teams follow the data.
        package let includeReferences: Bool
        /// Whether a sheet about the export comes last; absent for false.
        package let includeAbout: Bool?

        /// Options with these choices.
        package init(includeDisabled: Bool, includeReferences: Bool, includeAbout: Bool) {
            self.includeDisabled = includeDisabled
            self.includeReferences = includeReferences
            self.includeAbout = includeAbout ? true : nil
        }
    }

    /// A kind of value that the workbook does not contain unchanged.
    package struct Warning: Codable, Sendable, Hashable {
        /// The kind, as in the job.
        package let kind: String
        /// The number of cells or references.
        package let count: Int

        /// A number of values of a kind.
        package init(kind: String, count: Int) {
            self.kind = kind
            self.count = count
        }
    }

    /// The export's id.
    package let job: String
    /// The tenant's slug.
    package let tenant: String
    /// The e-mail address of the administrator in whose name the export was requested.
    package let actor: String
    /// The number of accounts.
    package let rows: Int
    /// The number of sheets.
    package let sheets: Int
    /// The SHA-256 of the workbook, in hexadecimal.
    package let sha256: String
    /// The size of the workbook in bytes.
    package let size: Int
    /// The time of the snapshot, RFC 3339, in seconds.
    package let created: String
    /// The titles of the columns of the first sheet.
    package let columns: [String]
    /// What the caller chose.
    package let options: Options
    /// What the workbook does not contain unchanged.
    package let warnings: [Warning]

    /// A description with these members.
    package init(
        job: String, tenant: String, actor: String, rows: Int, sheets: Int, sha256: String, size: Int, created: String,
        columns: [String], options: Options, warnings: [Warning]
    ) {
        self.job = job
        self.tenant = tenant
        self.actor = actor
        self.rows = rows
        self.sheets = sheets
        self.sha256 = sha256
        self.size = size
        self.created = created
        self.columns = columns
        self.options = options
        self.warnings = warnings
    }
}

/// What a receipt says about a workbook. The members of the manifest and these are members of one object.
package struct ExportPredicate: Codable, Sendable, Hashable {
    /// The type of the predicate, which contains its version.
    package static let type = "urn:adminexport:export:v1"

    /// The facts that do not depend on the content of the workbook.
    package struct Facts: Codable, Sendable, Hashable {
        /// The administrator in whose name the export was requested.
        package let requester: Requester
        /// When the service accepted the request: RFC 3339, UTC.
        package let requestedAt: String
        /// The time of the snapshot from which all rows come: RFC 3339, UTC.
        package let snapshotAt: String
        /// The tenant's time zone.
        package let timeZone: String
        /// The tenant's key in the directory.
        package let tenantKey: String
        /// The tenant's name; absent if the directory has none.
        package let tenantName: String?
        /// Which accounts the administrator sees.
        package let scope: Scope
        /// Where the values of each column come from, in the order of the columns.
        package let columnSources: [String]
        /// The fencing token of the attempt that made the workbook.
        package let epoch: Int
        /// The id of the installation, which its database contains.
        package let installation: String
        /// The program that made the workbook.
        package let program: Program

        /// These facts.
        package init(
            requester: Requester, requestedAt: String, snapshotAt: String, timeZone: String, tenantKey: String,
            tenantName: String?, scope: Scope, columnSources: [String], epoch: Int, installation: String, program: Program
        ) {
            self.requester = requester
            self.requestedAt = requestedAt
            self.snapshotAt = snapshotAt
            self.timeZone = timeZone
            self.tenantKey = tenantKey
            self.tenantName = tenantName
            self.scope = scope
            self.columnSources = columnSources
            self.epoch = epoch
            self.installation = installation
            self.program = program
        }
    }

    /// An administrator.
    package struct Requester: Codable, Sendable, Hashable {
        /// The e-mail address at the time of the export.
        package let email: String
        /// The key in the directory, which does not change.
        package let key: String

        /// An administrator with these labels.
        package init(email: String, key: String) {
            self.email = email
            self.key = key
        }
    }

    /// Which accounts an administrator sees.
    package struct Scope: Codable, Sendable, Hashable {
        /// Whether these are all accounts of the tenant, or those of some groups and of the groups below them.
        package enum Kind: String, Codable, Sendable {
            /// All accounts.
            case tenant
            /// Those of some groups.
            case groups
        }

        /// All accounts or those of some groups.
        package let kind: Kind
        /// The keys of the administrator's own groups; absent for the whole tenant.
        package let groupKeys: [String]?
        /// The names of the first of them in code point order, each cut to 80 characters; absent for the whole tenant.
        package let groups: [String]?
        /// Whether the administrator has more groups than ``groups`` names; absent for false.
        package let hasMoreGroups: Bool?
        /// Whether rows name groups outside the scope: `show` or `hide`; absent for the whole tenant.
        package let otherGroups: String?

        /// A scope; for the whole tenant, the other members are nil.
        package init(
            kind: Kind, groupKeys: [String]? = nil, groups: [String]? = nil, hasMoreGroups: Bool? = nil,
            otherGroups: String? = nil
        ) {
            self.kind = kind
            self.groupKeys = groupKeys
            self.groups = groups
            self.hasMoreGroups = hasMoreGroups
            self.otherGroups = otherGroups
        }
    }

    /// A program.
    package struct Program: Codable, Sendable, Hashable {
        /// The name of the program.
        package let name: String
        /// Its version.
        package let version: String

        /// A program with this version.
        package init(name: String, version: String) {
            self.name = name
            self.version = version
        }
    }

    /// A sheet of the workbook.
    package struct Sheet: Codable, Sendable, Hashable {
        /// The name of the sheet.
        package let name: String
        /// The number of its rows, without the header.
        package let rows: Int

        /// A sheet with this number of rows.
        package init(name: String, rows: Int) {
            self.name = name
            self.rows = rows
        }
    }

    /// The description of the workbook.
    package let manifest: Manifest
    /// Who requested it, when, and with which scope.
    package let facts: Facts
    /// The sheets in their order.
    package let rowsPerSheet: [Sheet]
    /// When the worker signed, by its clock: RFC 3339, UTC.
    package let signedAt: String

    private enum CodingKeys: String, CodingKey {
        case rowsPerSheet, signedAt
    }

    /// A predicate with these members.
    package init(manifest: Manifest, facts: Facts, rowsPerSheet: [Sheet], signedAt: String) {
        self.manifest = manifest
        self.facts = facts
        self.rowsPerSheet = rowsPerSheet
        self.signedAt = signedAt
    }

    /// Reads all members from one object.
    package init(from decoder: any Decoder) throws {
        manifest = try Manifest(from: decoder)
        facts = try Facts(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        rowsPerSheet = try container.decode([Sheet].self, forKey: .rowsPerSheet)
        signedAt = try container.decode(String.self, forKey: .signedAt)
    }

    /// Writes all members into one object.
    package func encode(to encoder: any Encoder) throws {
        try manifest.encode(to: encoder)
        try facts.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(rowsPerSheet, forKey: .rowsPerSheet)
        try container.encode(signedAt, forKey: .signedAt)
    }
}
