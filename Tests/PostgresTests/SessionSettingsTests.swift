import Foundation
import TestSupport
import Testing

@testable import Postgres

/// Settings that a database, a role or the environment makes for a session, and their effect on statements.
@Suite(.timeLimit(.minutes(10))) struct SessionSettingsTests {
    /// Settings of PostgreSQL 15 to 18 that a role, a database or the environment can set and that do not change the results of
    /// statements, by the reason.
    private static let harmless: [String: String] = [
        "speed, not results": """
        backend_flush_after client_connection_check_interval commit_delay commit_siblings constraint_exclusion cpu_index_tuple_cost
        cpu_operator_cost cpu_tuple_cost cursor_tuple_fraction deadlock_timeout debug_discard_caches debug_parallel_query
        force_parallel_mode effective_cache_size effective_io_concurrency enable_async_append enable_bitmapscan
        enable_distinct_reordering enable_gathermerge enable_group_by_reordering enable_hashagg enable_hashjoin
        enable_incremental_sort enable_indexonlyscan enable_indexscan enable_material enable_memoize enable_mergejoin
        enable_nestloop enable_parallel_append enable_parallel_hash enable_partition_pruning enable_partitionwise_aggregate
        enable_partitionwise_join enable_presorted_aggregate enable_self_join_elimination enable_seqscan enable_sort
        enable_tidscan file_copy_method from_collapse_limit geqo geqo_effort geqo_generations geqo_pool_size geqo_seed
        geqo_selection_bias geqo_threshold gin_pending_list_limit hash_mem_multiplier ignore_system_indexes io_combine_limit jit
        jit_above_cost jit_expressions jit_inline_above_cost jit_optimize_above_cost jit_tuple_deforming join_collapse_limit
        logical_decoding_work_mem maintenance_io_concurrency maintenance_work_mem max_parallel_maintenance_workers
        max_parallel_workers max_parallel_workers_per_gather min_parallel_index_scan_size min_parallel_table_scan_size
        parallel_leader_participation parallel_setup_cost parallel_tuple_cost post_auth_delay random_page_cost
        recursive_worktable_factor seq_page_cost temp_buffers temp_tablespaces vacuum_buffer_usage_limit vacuum_cost_delay
        vacuum_cost_limit vacuum_cost_page_dirty vacuum_cost_page_hit vacuum_cost_page_miss vacuum_failsafe_age
        vacuum_freeze_min_age vacuum_freeze_table_age vacuum_max_eager_freeze_failure_rate vacuum_multixact_failsafe_age
        vacuum_multixact_freeze_min_age vacuum_multixact_freeze_table_age vacuum_truncate wal_compression wal_init_zero
        wal_recycle wal_sender_timeout wal_skip_threshold work_mem
        """,
        "what the server logs, counts or shows": """
        application_name backtrace_functions compute_query_id debug_pretty_print debug_print_parse debug_print_plan
        debug_print_rewritten jit_debugging_support jit_dump_bitcode jit_profiling_support log_connections log_disconnections
        log_duration log_error_verbosity log_executor_stats log_lock_failures log_lock_waits log_min_duration_sample
        log_min_duration_statement log_min_error_statement log_min_messages log_parameter_max_length
        log_parameter_max_length_on_error log_parser_stats log_planner_stats log_replication_commands log_statement
        log_statement_sample_rate log_statement_stats log_temp_files log_transaction_sample_rate stats_fetch_consistency
        trace_notify trace_sort track_activities track_cost_delay_timing track_counts track_functions track_io_timing
        track_wal_io_timing update_process_title wal_consistency_checking
        """,
        "warnings, which no code reads": """
        client_min_messages escape_string_warning icu_validation_level md5_password_warnings
        """,
        "the language of messages, which no code reads": "lc_messages",
        "patterns of to_char that are not used": "lc_monetary lc_numeric lc_time",
        "values travel in binary, or are quoted": "array_nulls backslash_quote bytea_output extra_float_digits",
        "features that no statement uses": """
        default_text_search_config lo_compat_privileges timezone_abbreviations transform_null_equals xmlbinary xmloption
        """,
        "every statement that depends on an order has ORDER BY": "synchronize_seqscans",
        "no transaction is serializable": "default_transaction_deferrable",
        "each transaction sets them": "transaction_deferrable transaction_isolation transaction_read_only",
        "the place and form of stored data": "allow_in_place_tablespaces default_toast_compression",
        "for the creation of roles, functions or extensions": """
        allow_system_table_mods check_function_bodies createrole_self_grant default_statistics_target event_triggers
        password_encryption scram_iterations
        """,
        "the owner of the server decides which code it loads": """
        dynamic_library_path extension_control_path extension_destdir local_preload_libraries output_plugin_libraries
        session_preload_libraries
        """,
        "a low value causes an error, not a wrong result": "max_stack_depth temp_file_limit",
        "replication": "debug_logical_replication_streaming",
        "the network between server and client": """
        tcp_keepalives_count tcp_keepalives_idle tcp_keepalives_interval tcp_user_timeout
        """,
    ]

    private static var harmlessNames: [String] {
        harmless.values.flatMap { $0.split(whereSeparator: \.isWhitespace).map(String.init) }
    }

    private static var pinnedNames: [String] {
        SessionSettings.pins(ConnectionOptions(connectionString: ""), encoding: "UTF8").map(\.name) + ["search_path"]
    }

    @Test("Each setting that a role, a database or a client can set is pinned or known to be harmless")
    func complete() async throws {
        let (pinned, harmless) = (Self.pinnedNames, Self.harmlessNames)
        #expect(Set(pinned + harmless).count == pinned.count + harmless.count, "a setting is listed twice")
        try await TestDatabase.with(migrated: false) { database in
            let text = try await database.text(
                """
                SELECT string_agg(name, ' ') FROM pg_settings
                WHERE context IN ('user', 'superuser', 'backend', 'superuser-backend') AND name NOT LIKE '%.%'
                """)
            let server = (text ?? "").split(separator: " ").map(String.init)
            #expect(server.count > 150)
            #expect(
                Set(server).subtracting(pinned + harmless).isEmpty,
                "settings of a newer server: does a statement depend on them?")
        }
    }

    /// A value of a pinned setting that would affect statements, and that a transaction must not see.
    private static func hostile(_ name: String) -> String {
        switch name {
        case "statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout", "idle_session_timeout": "700"
        case "lock_timeout": "1"
        case "client_encoding": "LATIN1"
        case "DateStyle": "SQL, DMY"
        case "IntervalStyle": "sql_standard"
        case "TimeZone": "Asia/Kathmandu"
        case "restrict_nonsystem_relation_kind": "view, foreign-table"
        case "gin_fuzzy_search_limit": "1"
        case "session_replication_role": "replica"
        case "synchronous_commit", "standard_conforming_strings": "off"
        case "default_tablespace": "pg_default"
        case "default_table_access_method": "hostile"
        case "default_transaction_isolation": "serializable"
        case "plan_cache_mode": "force_custom_plan"
        default: "on"
        }
    }

    private func values(
        _ database: TestDatabase, user: String, url suffix: String = "", keepsSession: Bool
    ) async throws -> [String: String] {
        var options = ConnectionOptions(connectionString: database.url(user: user) + suffix)
        options.keepsSession = keepsSession
        let connection = try await PostgresConnection.connect(options)
        return try await connection.withTransaction { connection in
            var values: [String: String] = [:]
            for row in try await connection.query(Query("s", "SELECT name, setting FROM pg_settings")) {
                values[try row.decode("name")] = try row.decode("setting", as: String.self)
            }
            return values
        }
    }

    @Test(
        "A transaction has the settings that it depends on, whatever a role, a database or a URL sets",
        arguments: ["role", "database", "url"], [true, false])
    func pinned(_ place: String, _ keepsSession: Bool) async throws {
        try await TestDatabase.with(migrated: false) { database in
            let user = "hostile_\(database.name)"
            try await database.execute(
                """
                CREATE ROLE \(user) LOGIN SUPERUSER; CREATE ACCESS METHOD hostile TYPE TABLE HANDLER heap_tableam_handler
                """)
            let usual = try await values(database, user: user, keepsSession: keepsSession)
            let pins = SessionSettings.pins(ConnectionOptions(connectionString: ""), encoding: "UTF8").filter {
                // Behind a pooler, a transaction sets these in its BEGIN or does not need them.
                if case .session = $0.place { return keepsSession }
                return true
            }
            var suffix = ""
            // libpq sets client_encoding itself, which overrides the options of a URL.
            for name in pins.map(\.name) where usual[name] != nil && !(place == "url" && name == "client_encoding") {
                let value = Self.hostile(name)
                switch place {
                case "role": try await database.execute("ALTER ROLE \(user) SET \(name) = \(Self.literal(value))")
                case "database":
                    try await database.execute("ALTER DATABASE \(database.name) SET \(name) = \(Self.literal(value))")
                default: suffix += "%20-c%20\(name)%3D\(value.replacing(",", with: "%2C").replacing(" ", with: "%5C%20"))"
                }
            }
            let found = try await values(
                database, user: user, url: place == "url" ? "&options=" + suffix.dropFirst(3) : "",
                keepsSession: keepsSession)
            for pin in pins {
                // The login keeps its own order of day and month.
                let expected: String? =
                    switch pin.name {
                    case "DateStyle": "ISO, DMY"
                    case "synchronous_commit": "local"
                    default: usual[pin.name]
                    }
                #expect(found[pin.name] == expected, "\(pin.name)")
            }
            #expect(usual["search_path"] == "pg_catalog, \"$user\", public, pg_temp")
            try await database.execute("ALTER DATABASE \(database.name) RESET ALL")
            let admin = try await PostgresConnection.connect(
                ConnectionOptions(connectionString: TestDatabase.url(database: "postgres", user: TestDatabase.superuser)))
            try await database.execute("REASSIGN OWNED BY \(user) TO \(TestDatabase.superuser)")
            try await admin.script("drop", "DROP ROLE \(user)")
        }
    }

    private static func literal(_ value: String) -> String {
        value.split(separator: ", ").map { "'\($0)'" }.joined(separator: ", ")
    }

    @Test(
        "A login whose settings damage rows or disable foreign keys is refused with the setting and the remedy",
        arguments: [
            ("zero_damaged_pages", "on"), ("ignore_checksum_failure", "on"), ("session_replication_role", "replica"),
        ])
    func unsuitable(_ name: String, _ value: String) async throws {
        try await TestDatabase.with(migrated: false) { database in
            let user = "unsuitable_\(name)_\(database.name)"
            try await database.execute("CREATE ROLE \(user) LOGIN; ALTER ROLE \(user) SET \(name) = '\(value)'")
            for keepsSession in [true, false] {
                let error = await #expect(throws: PostgresError.self) {
                    _ = try await values(database, user: user, keepsSession: keepsSession)
                }
                #expect(error?.code == .unsuitable && error?.isTransient == false)
                #expect(
                    error?.message.contains("\(name) is \(value)") == true
                        && error?.message.contains("RESET \(name)") == true)
            }
            try await database.execute("GRANT SET ON PARAMETER \(name) TO \(user)")
            for keepsSession in [true, false] {
                #expect(try await values(database, user: user, keepsSession: keepsSession)[name] != value)
            }
            try await database.execute("DROP OWNED BY \(user); DROP ROLE \(user)")
        }
    }

    @Test("Asynchronous commit is replaced by local commit; any other choice stays", arguments: [true, false])
    func synchronousCommit(_ keepsSession: Bool) async throws {
        try await TestDatabase.with(migrated: false) { database in
            for (value, expected) in [("off", "local"), ("local", "local"), ("remote_apply", "remote_apply"), ("on", "on")] {
                try await database.execute("ALTER DATABASE \(database.name) SET synchronous_commit = \(value)")
                let found = try await values(database, user: TestDatabase.superuser, keepsSession: keepsSession)
                #expect(found["synchronous_commit"] == expected)
            }
        }
    }

    @Test(
        "The search path starts with pg_catalog, continues with the login's own path, and ends with pg_temp",
        arguments: [
            (#""$user", public"#, #""$user", "public""#), ("", nil), (#""""#, nil), ("pg_temp, public", #""public""#),
            ("Public , PG_TEMP,pg_temp_3", #""public""#), (#"evil, pg_catalog, "a""b, c""#, #""evil", "a""b, c""#),
            ("\"a\"\"\u{301}; DROP TABLE x\"", "\"a\"\"\u{301}; DROP TABLE x\""), (#""PG_CATALOG""#, #""PG_CATALOG""#),
        ])
    func searchPath(_ own: String, _ between: String?) {
        let expected = ["\"pg_catalog\"", between, "\"pg_temp\""].compactMap(\.self).joined(separator: ", ")
        #expect(Array(SessionSettings.searchPath(own: own).utf8) == Array(expected.utf8))
    }

    @Test(
        "No schema or temporary relation shadows system objects, and a function finds objects on the login's path",
        arguments: [true, false])
    func shadows(_ keepsSession: Bool) async throws {
        try await TestDatabase.with(migrated: false) { database in
            try await database.execute(
                """
                CREATE SCHEMA evil; CREATE SCHEMA "own, path";
                CREATE VIEW evil.pg_settings AS SELECT NULL::text AS name, NULL::text AS reset_val WHERE false;
                CREATE FUNCTION evil.pg_backend_pid() RETURNS int LANGUAGE sql AS 'SELECT 7';
                CREATE FUNCTION evil.eq(text, text) RETURNS bool LANGUAGE sql AS 'SELECT false';
                CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, PROCEDURE = evil.eq);
                CREATE FUNCTION "own, path".inner_name() RETURNS text LANGUAGE sql AS $$SELECT 'found'$$;
                CREATE FUNCTION public.outer_name() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN inner_name(); END';
                ALTER DATABASE \(database.name) SET search_path = pg_temp, evil, pg_catalog, "own, path", public
                """)
            var options = ConnectionOptions(connectionString: database.url(user: TestDatabase.superuser))
            options.keepsSession = keepsSession
            let connection = try await PostgresConnection.connect(options)
            #expect(await connection.session.isDedicated == keepsSession)
            try await connection.withTransaction { connection in
                try await connection.script(
                    "shadow", "CREATE TEMP TABLE pg_settings (name text); CREATE TEMP TABLE pg_class (x int)")
                let rows = try await connection.query(
                    Query(
                        "look",
                        """
                        SELECT count(*) > 100 AS settings, bool_and('a'::text = 'a'::text) AS equal, pg_backend_pid() <> 7 AS process,
                            (SELECT outer_name()) AS name, (SELECT count(*) > 100 FROM pg_class) AS classes FROM pg_settings
                        """))
                let row = try #require(rows.first)
                for column in ["settings", "equal", "process", "classes"] { #expect(try row.decode(column), "\(column)") }
                #expect(try row.decode("name") == "found")
            }
        }
    }

    @Test(
        "Timeouts of the login do not end an idle session or an idle transaction",
        arguments: [true, false])
    func idle(_ keepsSession: Bool) async throws {
        try await TestDatabase.with(migrated: false) { database in
            try await database.execute("ALTER DATABASE \(database.name) SET lock_timeout = 300")
            if try await database.text("SELECT count(*) FROM pg_settings WHERE name = 'transaction_timeout'") == "1" {
                try await database.execute("ALTER DATABASE \(database.name) SET transaction_timeout = 300")
            }
            // Behind a pooler, idle sessions belong to the pooler.
            if keepsSession { try await database.execute("ALTER DATABASE \(database.name) SET idle_session_timeout = 300") }
            try await database.execute("ALTER DATABASE \(database.name) SET default_transaction_read_only = on")
            var options = ConnectionOptions(connectionString: database.url(user: TestDatabase.superuser))
            options.keepsSession = keepsSession
            let connection = try await PostgresConnection.connect(options)
            // The timeout runs on the server. Another session waits there for longer.
            let watch = try await database.connect(user: TestDatabase.superuser)
            try await watch.query(Query("pass", "SELECT pg_sleep(0.6) IS NULL AS done"))
            try await connection.withTransaction { connection in
                try await watch.query(Query("pass", "SELECT pg_sleep(0.6) IS NULL AS done"))
                try await connection.script("write", "CREATE TABLE public.written AS SELECT 1 AS one")
            }
            #expect(try await database.text("SELECT count(*) FROM public.written") == "1")
        }
    }
}
