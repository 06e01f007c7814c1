package import Postgres

/// The types of the directory's keys. A platform's tables may use `bigint`, `uuid` or `text`, each relation its own.
///
/// Data never becomes SQL text; a key type does, and is one of three words written here.
package struct KeyTypes: Sendable, Equatable {
    package enum KeyType: String, Sendable {
        case bigint
        case uuid
        case text
    }

    package let tenant: KeyType
    package let profile: KeyType
    package let group: KeyType
    package let team: KeyType
    package let administrator: KeyType

    package init(tenant: KeyType, profile: KeyType, group: KeyType, team: KeyType, administrator: KeyType) {
        self.tenant = tenant
        self.profile = profile
        self.group = group
        self.team = team
        self.administrator = administrator
    }

    /// Reads the catalogue and holds the relations to what statements need to run and to compare as they mean to: that the columns are
    /// there, and the types of keys, slugs and addresses. What else the contract demands concerns how a value is exported, and is no
    /// reason to show no accounts.
    ///
    /// - Throws: ``DirectoryError/sourceInvalid(_:)`` naming the first column that is missing or has the wrong type;
    ///   ``PostgresError``.
    package static func load(_ connection: isolated PostgresConnection) async throws -> KeyTypes {
        let types = try await ColumnTypes.load(connection)
        if let fault = types.fatal.first { throw DirectoryError.sourceInvalid(fault.description) }
        guard let keys = types.keys else { throw DirectoryError.sourceInvalid("the directory's keys have no type") }
        return keys
    }
}

extension KeyTypes.KeyType {
    /// A value of the type, for statements that are only looked at.
    var sample: String {
        switch self {
        case .bigint: "0"
        case .uuid: "00000000-0000-0000-0000-000000000000"
        case .text: ""
        }
    }

    /// A key as people write it, from PostgreSQL's binary form.
    func text(of key: some Collection<UInt8>) -> String {
        switch self {
        case .bigint: "\(key.reduce(Int64(0)) { $0 << 8 | Int64($1) })"
        case .uuid: key.uuid
        case .text: String(decoding: key, as: UTF8.self)
        }
    }
}
