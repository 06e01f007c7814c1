/// Which administrator a tenant's slug and an e-mail address name: the one place that knows, for every statement that looks one up.
///
/// A platform may keep the disabled account of somebody beside the enabled one with the same address. So the enabled accounts of an
/// address come first, and the disabled ones count only where there is no other. One account that is left is the one that is named;
/// several are ambiguous. What an account may do plays no part: a permission never chooses between two.
///
/// Needs the indexes on `tenant (slug)` and `administrator (tenant_id, email)`.
package enum NamedAdministrators {
    /// A query in parentheses, of the administrators that are left.
    ///
    /// - Parameters:
    ///   - columns: of `directory.administrator`.
    ///   - tenant: the tenant's key, as SQL.
    ///   - email: SQL of type `text`.
    package static func sql(_ columns: String, tenant: String, email: String) -> String {
        """
        (SELECT \(columns) FROM directory.administrator
         WHERE tenant_id = \(tenant) AND \(isExactly("email", email))
         ORDER BY (status = 'enabled') IS TRUE DESC FETCH FIRST ROW WITH TIES)
        """
    }

    /// A condition: the column has exactly these characters, also where its collation takes others for equal. The first half is for
    /// the index.
    package static func isExactly(_ column: String, _ value: String) -> String {
        "\(column) = \(value) AND \(column)::text COLLATE \"C\" = \(value)"
    }
}
