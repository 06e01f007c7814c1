import Directory
import Postgres
import TestSupport

/// Statements that replace a table of the directory by a view, usually a faulty one.
enum WrongDirectory {
    static let roles: [(role: String, reader: DirectoryReader)] = [
        ("adminexport_api", .permission), ("adminexport_worker", .snapshot),
    ]

    /// Moves a relation's table to the schema `platform`, and makes a view of it.
    ///
    /// - Parameters:
    ///   - columns: expressions that replace the table's columns of that name.
    ///   - from: the text after FROM, in which the table is `t`.
    ///   - options: the text after WITH.
    static func view(
        _ relation: String, _ columns: [String: String] = [:], from: String? = nil, options: String? = nil
    ) -> String {
        let names = ContractColumn.all.filter { $0.relation == relation }.map(\.name)
        let list = names.map { name in columns[name].map { "\($0) AS \(name)" } ?? "t.\(name)" }
        return """
            CREATE SCHEMA IF NOT EXISTS platform;
            GRANT USAGE ON SCHEMA platform TO PUBLIC;
            ALTER TABLE directory.\(relation) SET SCHEMA platform;
            REVOKE ALL ON platform.\(relation) FROM adminexport_api, adminexport_worker;
            CREATE VIEW directory.\(relation) \(options.map { "WITH (\($0))" } ?? "") AS
                SELECT \(list.joined(separator: ", ")) FROM \(from ?? "platform.\(relation) t");
            GRANT SELECT ON directory.\(relation) TO adminexport_api, adminexport_worker;
            """
    }

    /// A view in which the row of the key occurs twice.
    static func doubled(_ relation: String, _ key: String) -> String {
        let table = "(SELECT * FROM platform.\(relation) UNION ALL SELECT * FROM platform.\(relation) WHERE id = \(key)) t"
        return view(relation, from: table)
    }

    /// The result of an inspection with the service's login, in both roles.
    static func inspect(
        _ database: TestDatabase, isExplained: Bool = true, attributes: [Attribute] = []
    ) async throws -> DirectoryInspection {
        let pool = database.pool(size: 1)
        var inspection = DirectoryInspection()
        for (role, reader) in roles {
            let reading = DirectoryInspection.Reading(
                role: role, reader: reader, isExplained: isExplained, attributes: reader == .snapshot ? attributes : [],
                statements: { keys in
                    reader == .permission
                        ? DirectoryStatements.permission(keys) : DirectoryStatements.snapshot(keys, attributes)
                })
            inspection.add(try await pool.withConnection { try await DirectoryInspection.inspect(reading, on: $0) })
        }
        return inspection
    }
}
