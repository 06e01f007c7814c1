/// Determines which administrator a tenant's slug and an e-mail address name, for every statement that looks one up.
///
/// A platform may keep a disabled account beside an enabled one with the same address. So the enabled accounts of an address
/// come first, and the disabled ones count only if there is no enabled one. If one account remains, it is the named one;
/// several are ambiguous. The permissions of an account never decide between two accounts.
///
/// Needs the indexes on `tenant (slug)` and `administrator (tenant_id, email)`.
package enum NamedAdministrators {
    /// A query in parentheses that returns the remaining administrators.
    ///
    /// - Parameters:
    ///   - columns: columns of `directory.administrator`.
    ///   - tenant: the tenant's key, as SQL.
    ///   - email: SQL of type `text`.
    package static func sql(_ columns: String, tenant: String, email: String) -> String {
        """
        (SELECT \(columns) FROM directory.administrator
         WHERE tenant_id = \(tenant) AND \(isExactly("email", email))
         ORDER BY (status = 'enabled') IS TRUE DESC FETCH FIRST ROW WITH TIES)
        """
    }

    /// A condition: the column has exactly these characters, even if its collation treats others as equal. The first half uses
    /// the index.
    package static func isExactly(_ column: String, _ value: String) -> String {
        "\(column) = \(value) AND \(column)::text COLLATE \"C\" = \(value)"
    }
}
