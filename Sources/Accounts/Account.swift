public import AdminExportAPI

/// An administrator's account, with the values that an export contains.
public struct Account: Sendable, Equatable {
    /// The directory's key, as text.
    public let key: String
    /// The administrator's name, up to 500 characters; empty if the directory has none.
    public let name: String
    /// The e-mail address, up to 500 characters; empty if the directory has none.
    public let email: String
    /// The phone number, up to 500 characters; nil if the directory has none.
    public let phone: String?
    /// The name of the profile; nil for an account without one.
    public let profile: String?
    /// The name of the main group; nil for an account without one, and if the actor does not see it.
    public let mainGroup: String?
    /// The names of the secondary groups, in code point order.
    public let secondaryGroups: [String]
    /// How many of the account's groups, the main group among them, the actor does not see; see ``AccountQuery/otherGroups``.
    public let hiddenGroups: Int
    /// The names of the teams, in code point order.
    public let teams: [String]
    /// The day of creation, `yyyy-mm-dd` in the tenant's time zone; empty if the directory has none.
    public let created: String
    /// The day of the last change, `yyyy-mm-dd` in the tenant's time zone; empty if the directory has none.
    public let updated: String
    /// Whether the account's status is `enabled`.
    public let isEnabled: Bool
    /// The values of ``AccountPage/attributes``; nil for a value that the directory does not have.
    public let attributes: [AttributeValue?]
}

/// The value of a further column.
public enum AttributeValue: Sendable, Equatable {
    /// A text, up to 500 characters.
    case text(String)
    /// A day, `yyyy-mm-dd`; with ` BC` before the year 1; or `infinity` or `-infinity`.
    case day(String)
    /// A time in the tenant's time zone, `yyyy-mm-dd hh:mm`.
    case time(String)
    /// True or false.
    case flag(Bool)
    /// Up to 100 texts of up to 500 characters.
    case list([String])
}

/// A page of accounts, in the order of an export.
public struct AccountPage: Sendable {
    /// The accounts, at most ``AccountQuery/limit``.
    public let accounts: [Account]
    /// Whether there are accounts before this page.
    public let hasPrevious: Bool
    /// Whether there are accounts after this page.
    public let hasNext: Bool
    /// How many accounts match the query; nil for more than ``AccountQuery/maxCounted``, or if counting took too long.
    public let matches: Int?
    /// The actor, in the same snapshot as the accounts.
    public let actor: ActorDetails
    /// The columns of ``AccountQuery/attributes`` that the actor may see.
    public let attributes: [ServiceInfo.Attribute]
}

/// Which accounts a page contains.
public struct AccountQuery: Sendable {
    /// Matches are counted up to this number.
    public static let maxCounted = 100_000

    /// Which accounts match, by their status.
    public enum Status: String, Sendable, CaseIterable {
        /// Every account.
        case all
        /// Accounts whose status is `enabled`.
        case enabled
        /// Accounts with any other status.
        case disabled
    }

    /// Where the page is.
    public enum Position: Sendable {
        /// The first page.
        case first
        /// The page after the account with this key.
        case after(String)
        /// The page before the account with this key.
        case before(String)
    }

    /// A part of a name, an e-mail address or a phone number, in upper or lower case; empty: every account matches.
    public var search: String
    /// Which accounts match, by their status.
    public var status: Status
    /// Where the page is.
    public var position: Position
    /// The number of accounts of a page, 1 or more.
    public var limit: Int
    /// Whether an actor whose scope is groups sees the names of other groups. `service.info` returns the service's setting.
    public var otherGroups = ServiceInfo.OtherGroups.show

    /// The further columns to read, for actors who may see them. `service.info` returns those of the service. The login of the list needs the
    /// privilege to read them.
    public var attributes: [ServiceInfo.Attribute] = []

    /// Makes a query; by default the first 25 of all accounts.
    public init(search: String = "", status: Status = .all, position: Position = .first, limit: Int = 25) {
        self.search = search
        self.status = status
        self.position = position
        self.limit = limit
    }
}

/// What a console shows about an actor: the names and the time zone, and whether the actor may see accounts.
public struct ActorDetails: Sendable, Equatable {
    /// The administrator's name; empty if the directory has none.
    public let name: String
    /// The tenant's name; empty if the directory has none.
    public let tenantName: String
    /// The tenant's time zone, an IANA name; empty if the directory has none.
    public let timeZone: String
    /// Whether the actor has the permission to see accounts and to export them.
    public let mayView: Bool
}

/// An account to try a service with.
public struct ExampleActor: Sendable, Equatable {
    /// The tenant's slug.
    public let tenant: String
    /// The tenant's name.
    public let tenantName: String
    /// The administrator's e-mail address.
    public let email: String
    /// The administrator's name.
    public let name: String
    /// The name of the administrator's profile.
    public let profile: String
}

/// Why accounts cannot be shown.
public struct AccountsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of errors, by what can be done about them.
    public enum Code: Sendable {
        /// The actor does not exist, is disabled, or may not see accounts.
        case denied
        /// No account can have the key that the query's position names.
        case invalidPosition
        /// The directory does not have the relations and columns that it should have. An operator has to correct it.
        case sourceInvalid
        /// The directory cannot be read now. A later attempt may succeed.
        case unavailable
    }

    /// The kind of the error.
    public let code: Code
    /// What happened. Contains no personal data.
    public let message: String

    /// The message.
    public var description: String { message }
}
