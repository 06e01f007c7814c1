/// An administrator's account, with what an export says of it.
public struct Account: Sendable, Equatable {
    /// The directory's key, as text.
    public let key: String
    public let name: String
    public let email: String
    public let phone: String?
    public let profile: String?
    public let mainGroup: String?
    /// In code point order, as all lists.
    public let secondaryGroups: [String]
    public let teams: [String]
    /// `yyyy-mm-dd` in the tenant's time zone.
    public let created: String
    public let updated: String
    public let isEnabled: Bool
}

/// A page of accounts, in the order of an export.
public struct AccountPage: Sendable {
    public let accounts: [Account]
    public let hasPrevious: Bool
    public let hasNext: Bool
    /// How many match; nil for more than ``AccountQuery/mostCounted``, or where counting took too long.
    public let matches: Int?
    /// The administrator who asked, as of the same moment.
    public let actor: ActorDetails
}

/// What a page of accounts is to hold.
public struct AccountQuery: Sendable {
    /// Up to so many matches are counted: whoever sees more needs to know no more.
    public static let mostCounted = 100_000

    public enum Status: String, Sendable, CaseIterable {
        case all, enabled, disabled
    }

    /// Which page.
    public enum Position: Sendable {
        case first
        /// The key of the last account of the page before.
        case after(String)
        /// The key of the first account of the page after.
        case before(String)
    }

    /// A part of a name, an e-mail address or a phone number, in whatever case.
    public var search: String
    public var status: Status
    public var position: Position
    public var limit: Int

    public init(search: String = "", status: Status = .all, position: Position = .first, limit: Int = 25) {
        self.search = search
        self.status = status
        self.position = position
        self.limit = limit
    }
}

/// An administrator who asks for accounts: name, tenant and time zone, and whether they may view accounts.
public struct ActorDetails: Sendable, Equatable {
    public let name: String
    public let tenantName: String
    /// An IANA name.
    public let timeZone: String
    public let mayView: Bool
}

/// An account to try a service with.
public struct ExampleActor: Sendable, Equatable {
    public let tenant: String
    public let tenantName: String
    public let email: String
    public let name: String
    public let profile: String
}

/// Why there are no accounts to be seen.
public struct AccountsError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable {
        /// The actor is not there, is disabled, or may not view accounts.
        case denied
        /// A page was asked for by a key that is none.
        case invalidPosition
        /// The directory is not set up as it should be; somebody has to mend it.
        case sourceInvalid
        /// The directory cannot be asked now.
        case unavailable
    }

    public let code: Code
    /// Holds no personal data.
    public let message: String

    public var description: String { message }
}
