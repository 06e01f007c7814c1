package import Postgres

/// The types of the directory's keys. A platform's tables may use `bigint`, `uuid` or `text`, and each relation may use another
/// type.
///
/// Data never becomes SQL text, except a ``KeyLiteral``. A key type does, and it is one of the three words of this type.
package struct KeyTypes: Sendable, Equatable {
    /// A type of keys. The raw value is the name in PostgreSQL.
    package enum KeyType: String, Sendable {
        /// 64-bit integers.
        case bigint
        /// UUIDs.
        case uuid
        /// Texts.
        case text
    }

    /// The type of `tenant.id`.
    package let tenant: KeyType
    /// The type of `profile.id`.
    package let profile: KeyType
    /// The type of `administrator_group.id`.
    package let group: KeyType
    /// The type of `team.id`.
    package let team: KeyType
    /// The type of `administrator.id`.
    package let administrator: KeyType

    /// The types of the keys of all relations.
    package init(tenant: KeyType, profile: KeyType, group: KeyType, team: KeyType, administrator: KeyType) {
        self.tenant = tenant
        self.profile = profile
        self.group = group
        self.team = team
        self.administrator = administrator
    }

    /// Reads the catalogue, and checks what statements need in order to run and to compare correctly: that the columns exist,
    /// and the types of keys, slugs and addresses. The rest of the contract concerns how values are exported, and must not
    /// prevent that accounts are shown.
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
    /// A value of the type, for statements that are only planned.
    var sample: String {
        switch self {
        case .bigint: "0"
        case .uuid: "00000000-0000-0000-0000-000000000000"
        case .text: ""
        }
    }

    /// A key as text, from PostgreSQL's binary form.
    func text(of key: some Collection<UInt8>) -> String {
        switch self {
        case .bigint: "\(key.reduce(Int64(0)) { $0 << 8 | Int64($1) })"
        case .uuid: key.uuid
        case .text: String(decoding: key, as: UTF8.self)
        }
    }
}
