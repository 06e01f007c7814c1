internal import Postgres

/// The types of the directory's columns, from the catalogue.
struct ColumnTypes {
    struct Fact {
        /// The type as PostgreSQL writes it, with its collation if that is not the database's default.
        let type: String
        /// The base type of a domain, through all levels; otherwise the type itself.
        let base: String
        /// The `pg_type.typcategory` of the base type: S text, E enum, N number, B boolean, D date and time, A array, …
        let category: String
        /// The category of an array's elements; nil if the type is not an array.
        let elements: String?
        /// Whether an enum has the value `enabled`.
        let hasEnabled: Bool
        let isTable: Bool
    }

    private var facts: [String: Fact] = [:]
    private var relations: Set<String> = []
    /// The value of ``digest`` at the same time.
    private(set) var digestValue: String?

    /// SQL for a digest of the columns of the contract's relations and of their types. An export compares it, in its own
    /// snapshot, with the digest of the last inspection, so that it does not misread a column whose type has changed since
    /// then.
    static var digest: String {
        let relations = ContractColumn.relations.map { "'\($0)'" }.joined(separator: ", ")
        return """
            (SELECT hashtextextended(string_agg(c.relname || '.' || a.attname || ' ' || a.atttypid, ',' ORDER BY c.relname, a.attname), 0)::text
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relname IN (\(relations)) AND c.relnamespace = to_regnamespace('directory') AND a.attnum > 0 AND NOT a.attisdropped)
            """
    }

    static func load(_ connection: isolated PostgresConnection) async throws -> ColumnTypes {
        let rows = try await connection.query(
            Query(
                "directory-columns",
                """
                WITH RECURSIVE fact (relation, kind, name, type, base) AS (
                    SELECT c.relname::text, c.relkind::text, a.attname::text, format_type(a.atttypid, NULL)
                        || CASE WHEN a.attcollation NOT IN (0, (SELECT oid FROM pg_collation WHERE collname = 'default'
                                    AND collnamespace = 'pg_catalog'::regnamespace))
                           THEN ' COLLATE ' || a.attcollation::regcollation::text ELSE '' END, a.atttypid
                    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                    WHERE c.relnamespace = to_regnamespace('directory') AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
                        AND a.attnum > 0 AND NOT a.attisdropped
                    UNION ALL
                    SELECT f.relation, f.kind, f.name, f.type, t.typbasetype
                    FROM fact f JOIN pg_type t ON t.oid = f.base WHERE t.typtype = 'd')
                SELECT f.relation, f.name, f.type, format_type(f.base, NULL) AS base, t.typcategory::text AS category,
                    e.typcategory::text AS elements, f.kind IN ('r', 'p') AS is_table,
                    EXISTS (SELECT FROM pg_enum v WHERE v.enumtypid = t.oid AND v.enumlabel = 'enabled') AS has_enabled
                FROM fact f JOIN pg_type t ON t.oid = f.base
                LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
                WHERE t.typtype <> 'd'
                """))
        var types = ColumnTypes()
        types.digestValue = try await connection.query(Query("directory-types", "SELECT \(digest) AS types")).first?
            .decodeIfPresent("types")
        for row in rows {
            let relation: String = try row.decode("relation")
            types.relations.insert(relation)
            types.facts["\(relation).\(try row.decode("name", as: String.self))"] = Fact(
                type: try row.decode("type"), base: try row.decode("base"), category: try row.decode("category"),
                elements: try row.decodeIfPresent("elements"), hasEnabled: try row.decode("has_enabled"),
                isTable: try row.decode("is_table"))
        }
        return types
    }

    // MARK: Faults

    /// Missing relations and columns, and columns of a wrong type, in the order of the contract.
    var faults: [ContractFault] { faults { _ in true } }

    /// Attributes whose column does not exist or has another type.
    func faults(_ attributes: [Attribute]) -> [ContractFault] {
        guard relations.contains("administrator") else { return [] }
        return attributes.compactMap { attribute in
            guard let fact = facts["administrator.\(attribute.column)"] else {
                return .attribute(
                    attribute, "the column directory.administrator.\(attribute.column) does not exist",
                    "correct the name, add the column to the view, or remove the attribute")
            }
            guard !attribute.kind.types.contains(fact.base) else { return nil }
            return .attribute(
                attribute,
                "directory.administrator.\(attribute.column) is \(fact.type), but an attribute of the type \(attribute.kind.rawValue) must be \(attribute.kind.types.joined(separator: " or "))",
                "correct the type, or convert the column in the view")
        }
    }

    /// The same without columns of a wrong type, except for keys and compared texts.
    var fatal: [ContractFault] {
        faults { column in
            switch column.content {
            case .key, .comparedText: true
            case .text, .status, .scope, .permissions, .moment: facts[column.label] == nil
            }
        }
    }

    private func faults(_ isLookedAt: (ContractColumn) -> Bool) -> [ContractFault] {
        var faults: [ContractFault] = []
        for relation in ContractColumn.relations where !relations.contains(relation) {
            faults.append(.missing(relation: relation))
        }
        for column in ContractColumn.all where relations.contains(column.relation) && isLookedAt(column) {
            guard var fault = fault(of: column) else { continue }
            fault.decidesPermission = column.decidesPermission
            faults.append(fault)
        }
        return faults
    }

    /// The types of the keys; nil if a key is missing or has a type that keys cannot have.
    var keys: KeyTypes? {
        func key(_ column: String) -> KeyTypes.KeyType? { facts[column].flatMap { KeyTypes.KeyType($0) } }
        guard let tenant = key("tenant.id"), let profile = key("profile.id"), let group = key("administrator_group.id"),
            let team = key("team.id"), let administrator = key("administrator.id")
        else { return nil }
        for column in ContractColumn.all {
            guard case .key(let target) = column.content else { continue }
            guard let own = facts[column.label], own.type == facts[target]?.type else { return nil }
        }
        return KeyTypes(tenant: tenant, profile: profile, group: group, team: team, administrator: administrator)
    }

    private func fault(of column: ContractColumn) -> ContractFault? {
        guard let fact = facts[column.label] else { return .missing(column: column) }
        let name = column.name
        func fault(_ demand: String, _ expression: String, type: String) -> ContractFault {
            ContractFault(
                "directory.\(column.label) is \(fact.type), but \(demand)",
                fact.isTable
                    ? "ALTER TABLE directory.\(column.relation) ALTER \(name) TYPE \(type) USING \(expression)"
                    : "select \(expression) AS \(name) in the view")
        }
        switch column.content {
        case .key(let target):
            guard KeyTypes.KeyType(fact) != nil else {
                let type = fact.category == "N" ? "bigint" : "text"
                return fault("keys are bigint, uuid or text", "\(name)::\(type)", type: type)
            }
            // Collations count: both sides of a join compare the ends of a page, and must compare them alike.
            guard let other = facts[target], KeyTypes.KeyType(other) != nil, other.type != fact.type else { return nil }
            return fault(
                "directory.\(target), to which it refers, is \(other.type)", "\(name)::\(other.type)", type: other.type)
        case .comparedText:
            guard !["text", "character varying"].contains(fact.plainType) else { return nil }
            return fault(
                "must be text or character varying, which the service compares byte for byte", "\(name)::text", type: "text")
        case .text:
            guard !fact.isText else { return nil }
            return fault("must be text", fact.textExpression(name), type: "text")
        case .scope:
            guard !["S", "E"].contains(fact.category) else { return nil }
            return fault(
                "must be text with the value tenant or groups",
                "CASE WHEN \(fact.condition(name)) THEN 'tenant' ELSE 'groups' END",
                type: "text")
        case .status:
            guard fact.category != "S", !fact.hasEnabled else { return nil }
            return fault(
                fact.category == "E" ? "no value of the enum is enabled" : "must be text with the value enabled or disabled",
                "CASE WHEN \(fact.condition(name)) THEN 'enabled' ELSE 'disabled' END", type: "text")
        case .permissions:
            guard fact.category != "A" || !["S", "E"].contains(fact.elements ?? "") else { return nil }
            return fault("must be text[]", fact.arrayExpression(name), type: "text[]")
        case .moment:
            guard fact.base != "timestamp with time zone" else { return nil }
            return fault(
                "must be timestamp with time zone: otherwise its days cannot be converted to the tenant's time zone",
                fact.momentExpression(name), type: "timestamptz")
        }
    }
}

extension KeyTypes.KeyType {
    fileprivate init?(_ fact: ColumnTypes.Fact) {
        self.init(rawValue: fact.plainType)
    }
}

extension ColumnTypes.Fact {
    /// The type without its collation.
    fileprivate var plainType: String { type.prefix(before: " COLLATE ") }

    /// Whether the text form is the value itself. The text forms of bytes, documents and lists are notations of PostgreSQL.
    fileprivate var isText: Bool {
        switch category {
        case "S", "E", "N", "Z": true
        case "U": !["bytea", "json", "jsonb"].contains(base)
        default: false
        }
    }

    fileprivate func textExpression(_ name: String) -> String {
        switch base {
        case "bytea": "convert_from(\(name), 'UTF8')"
        case "json", "jsonb": "\(name) #>> '{}'"
        default: category == "A" ? "array_to_string(\(name), ', ')" : "\(name)::text"
        }
    }

    /// A condition to start with: only the platform knows which values mean yes.
    fileprivate func condition(_ name: String) -> String {
        switch category {
        case "B": name
        case "N": "\(name) = 1"
        default: "\(name)::text = 'active'"
        }
    }

    fileprivate func arrayExpression(_ name: String) -> String {
        switch base {
        case "jsonb": "ARRAY(SELECT jsonb_array_elements_text(\(name)))"
        case "json": "ARRAY(SELECT json_array_elements_text(\(name)))"
        default: category == "S" ? "string_to_array(\(name), ',')" : "\(name)::text[]"
        }
    }

    fileprivate func momentExpression(_ name: String) -> String {
        switch base {
        // If the platform writes them in another zone, the operator has to change this.
        case "timestamp without time zone": "\(name) AT TIME ZONE 'UTC'"
        case "date": "\(name)::timestamp AT TIME ZONE 'UTC'"
        default: category == "N" ? "to_timestamp(\(name))" : "\(name)::timestamptz"
        }
    }
}

extension String {
    fileprivate func prefix(before separator: String) -> String {
        firstRange(of: separator).map { String(self[..<$0.lowerBound]) } ?? self
    }
}
