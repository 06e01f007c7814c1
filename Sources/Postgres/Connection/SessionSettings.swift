/// The settings that this program's statements depend on, and the value that each must have.
///
/// A database, a role, `PGOPTIONS` and the connection string can each give a session any value of any setting. This type pins the
/// settings that determine what a statement means, which rows it sees, or how long a session lives. Settings that determine only how
/// fast a result comes, or what the server logs, are the operator's.
///
/// A dedicated session sets the values once. Behind a pooler each transaction sets them, and they end with it.
struct SessionSettings: Sendable {
    struct Pin: Sendable {
        enum Place: Sendable {
            /// For the session or for each transaction.
            case anywhere
            /// Only for a dedicated session: a transaction behind a pooler does not need it, or has it in its `BEGIN`.
            case session
            /// Only if the session did not begin with an accepted value.
            case unless(accepted: Set<String>)
        }

        let name: String
        let value: String
        var place = Place.anywhere
        /// What another value does, for a setting that only a superuser or a grantee may set.
        var harm: String?
    }

    /// Time limits come first: a very short one would end the session before the others are set.
    static func pins(_ options: ConnectionOptions, encoding: String) -> [Pin] {
        let statement = options.statementTimeout.map(milliseconds) ?? 0
        return [
            Pin(name: "transaction_timeout", value: "0"),
            Pin(name: "statement_timeout", value: "\(statement)"),
            Pin(name: "lock_timeout", value: "0"),
            Pin(name: "idle_in_transaction_session_timeout", value: "\(milliseconds(options.idleInTransactionTimeout))"),
            Pin(name: "idle_session_timeout", value: "0", place: .session),
            // What values and literals mean.
            Pin(name: "client_encoding", value: encoding),
            Pin(name: "standard_conforming_strings", value: "on"),
            Pin(name: "quote_all_identifiers", value: "off"),
            // The order of day and month stays the login's: views may read dates by it, and our own are ISO.
            Pin(name: "DateStyle", value: "ISO"),
            Pin(name: "IntervalStyle", value: "postgres"),
            Pin(name: "TimeZone", value: "UTC"),
            // Which rows a statement sees: all, or the statement is refused.
            Pin(name: "row_security", value: "off"),
            Pin(name: "restrict_nonsystem_relation_kind", value: ""),
            Pin(name: "gin_fuzzy_search_limit", value: "0"),
            Pin(
                name: "zero_damaged_pages", value: "off", place: .unless(accepted: ["off"]),
                harm: "rows on damaged pages disappear without an error"),
            Pin(
                name: "ignore_checksum_failure", value: "off", place: .unless(accepted: ["off"]),
                harm: "damaged rows are read without an error"),
            // What a write does, and whether it lasts.
            Pin(
                name: "session_replication_role", value: "origin", place: .unless(accepted: ["origin", "local"]),
                harm: "foreign keys are not enforced"),
            Pin(
                name: "synchronous_commit", value: "local",
                place: .unless(accepted: ["on", "local", "remote_write", "remote_apply"])),
            Pin(name: "default_tablespace", value: ""),
            Pin(name: "default_table_access_method", value: "heap"),
            Pin(name: "exit_on_error", value: "off"),
            Pin(name: "default_transaction_read_only", value: "off", place: .session),
            Pin(name: "default_transaction_isolation", value: "read committed", place: .session),
            // Each statement has one good plan for all parameters, which is made once.
            Pin(name: "plan_cache_mode", value: "force_generic_plan", place: .session),
        ]
    }

    /// `SET` for a dedicated session, and `SET LOCAL` for a transaction.
    let session: String
    let transaction: String

    /// A setting at the beginning of a session.
    struct Found: Sendable {
        /// The value that the session began with, whatever was set since.
        let value: String
        let maySet: Bool
    }

    /// - Parameter found: by name; a server of another version does not have every setting.
    /// - Throws: ``PostgresError/Code/unsuitable`` for a harmful value that the login may not change.
    init(_ options: ConnectionOptions, encoding: String, found: [String: Found]) throws(PostgresError) {
        var session: [String] = []
        var transaction: [String] = []
        for pin in Self.pins(options, encoding: encoding) {
            guard let found = found[pin.name] else { continue }
            let assignment = "\(pin.name) = '\(pin.value)'"
            switch pin.place {
            case .anywhere: break
            case .session:
                session.append(assignment)
                continue
            case .unless(let accepted):
                if accepted.contains(found.value) { continue }
                if let harm = pin.harm, !found.maySet {
                    throw PostgresError(
                        .unsuitable,
                        "the setting \(pin.name) is \(found.value) for this login, so that \(harm); reset it "
                            + "with ALTER ROLE or ALTER DATABASE … RESET \(pin.name), or in the server's configuration")
                }
            }
            session.append(assignment)
            transaction.append(assignment)
        }
        let path = "search_path = \(Self.searchPath(own: found["search_path"]?.value ?? ""))"
        self.session = (session + [path]).map { "SET \($0)" }.joined(separator: "; ")
        self.transaction = (transaction + [path]).map { "; SET LOCAL \($0)" }.joined()
    }

    /// Reads what ``init(_:encoding:found:)`` needs, in a transaction that the login's settings do not affect. All values are text.
    ///
    /// - Parameter version: the server's major version: `transaction_timeout` is an error before 17.
    static func inspection(_ options: ConnectionOptions, version: Int) -> String {
        let names = (pins(options, encoding: "").map(\.name) + ["search_path"]).map { "'\($0)'" }.joined(separator: ", ")
        let limit = milliseconds(options.statementTimeout ?? .seconds(30))
        return """
            BEGIN; \(version >= 17 ? "SET LOCAL transaction_timeout = 0; " : "")SET LOCAL statement_timeout = \(limit); SET LOCAL search_path = pg_catalog, pg_temp;
            SELECT name, reset_val AS value, has_parameter_privilege(name, 'SET')::text AS may_set,
                pg_backend_pid()::text AS process
            FROM pg_settings WHERE name IN (\(names)); COMMIT
            """
    }

    /// The path for names without a schema. `pg_catalog` is first, so that nobody can replace a system function that statements use; the
    /// login's own path follows, because views may call functions without a schema; `pg_temp` is last, so that no temporary relation
    /// hides another.
    ///
    /// - Parameter own: the login's path, as the server shows it.
    /// - Returns: quoted identifiers, for `SET`.
    static func searchPath(own: String) -> String {
        let names = identifiers(own).filter { !$0.isEmpty && $0 != "pg_catalog" && !$0.hasPrefix("pg_temp") }
        return (["pg_catalog"] + names + ["pg_temp"]).map(\.quotedIdentifier).joined(separator: ", ")
    }

    /// Splits a list of identifiers as the server does (`SplitIdentifierString`).
    private static func identifiers(_ list: String) -> [String] {
        var names: [String] = []
        var name = ""
        var isQuoted = false
        var wasQuoted = false
        func end() {
            names.append(wasQuoted ? name : name.trimmingSpaces.lowercasingASCII)
            (name, wasQuoted) = ("", false)
        }
        var rest = list.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\"" where isQuoted && rest.first == "\"":
                rest.removeFirst()
                name.unicodeScalars.append(scalar)
            case "\"":
                if !isQuoted { (name, wasQuoted) = ("", true) }
                isQuoted.toggle()
            case "," where !isQuoted: end()
            default:
                // After a closing quote only spaces are allowed.
                if isQuoted || !wasQuoted { name.unicodeScalars.append(scalar) }
            }
        }
        end()
        return names
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        Int(duration / .milliseconds(1))
    }
}

extension String {
    /// By scalars: a quote with a combining mark behind it is another Character, and still a quote.
    fileprivate var quotedIdentifier: String {
        var quoted = "\""
        for scalar in unicodeScalars {
            if scalar == "\"" { quoted.unicodeScalars.append(scalar) }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }

    fileprivate var trimmingSpaces: String {
        var rest = unicodeScalars[...]
        while rest.first?.properties.isWhitespace == true { rest.removeFirst() }
        while rest.last?.properties.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }

    fileprivate var lowercasingASCII: String {
        String(decoding: utf8.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }, as: UTF8.self)
    }
}
