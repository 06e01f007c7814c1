import AdminExportAPI
import AdminExportClient
import Foundation
import Testing
import TestSupport

/// The whole service with a login whose settings all differ from the defaults.
@Suite(.timeLimit(.minutes(10)), .serialized) struct HostileSettingsTests {
    /// Inverts each boolean, takes the last value of each enumeration, and sets unusual values for other settings.
    private static let settings = """
        DO $body$
        DECLARE
            changed record;
        BEGIN
            FOR changed IN
                SELECT name, CASE boot_val WHEN 'on' THEN 'off' ELSE 'on' END AS value FROM pg_settings
                WHERE vartype = 'bool' AND context IN ('user', 'superuser')
                    AND name NOT IN ('transaction_read_only', 'transaction_deferrable', 'zero_damaged_pages', 'ignore_checksum_failure')
                UNION ALL
                SELECT name, (SELECT max(word) FROM unnest(enumvals) AS word WHERE word <> boot_val) FROM pg_settings
                WHERE vartype = 'enum' AND context IN ('user', 'superuser')
                    AND name NOT IN ('transaction_isolation', 'session_replication_role')
                UNION ALL
                SELECT name, value FROM pg_settings JOIN (VALUES
                    ('statement_timeout', '700'), ('lock_timeout', '1'), ('transaction_timeout', '700'),
                    ('idle_session_timeout', '700'), ('idle_in_transaction_session_timeout', '700'), ('DateStyle', 'German'),
                    ('TimeZone', 'Asia/Kathmandu'), ('restrict_nonsystem_relation_kind', 'view, foreign-table'),
                    ('gin_fuzzy_search_limit', '1'), ('extra_float_digits', '-15'), ('search_path', 'pg_temp'),
                    ('work_mem', '64'), ('from_collapse_limit', '1'), ('join_collapse_limit', '1'), ('temp_buffers', '100'),
                    ('client_encoding', 'LATIN1'), ('synchronous_commit', 'off'), ('default_transaction_isolation', 'serializable'),
                    ('application_name', 'hostile'), ('effective_io_concurrency', '0'), ('row_security', 'on')) AS v (name, value) USING (name)
            LOOP
                EXECUTE format('ALTER ROLE test_service IN DATABASE %I SET %I = %L', current_database(), changed.name, changed.value);
            END LOOP;
        END
        $body$
        """

    private func sheet(_ file: String) async throws -> String {
        let read = try await Programs.run(
            TestDatabase.environment("TEST_PYTHON"),
            [
                "-c", "import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).read('xl/worksheets/sheet1.xml').decode())",
                file,
            ])
        try #require(read.status == 0, "\(read.errors)")
        return read.output
    }

    private func export(_ settings: String, keepsSessions: Bool) async throws -> String {
        var made = ""
        let keep = ["ADMINEXPORT_DATABASE_KEEP_SESSIONS": "\(keepsSessions)"]
        try await ServiceProcess.with(environment: keep, sql: SmallTenant.sql + "; RESET ROLE; " + settings) { service in
            let run = try await service.run(["run", "--include-disabled", "-o", "out.xlsx", "-q"])
            #expect(run.status == 0, "\(run.errors)")
            made = try await sheet(service.folder + "/out.xlsx")
            let job = try await service.export(ServiceProcess.europe)
            #expect(job.state == .succeeded && job.rows == 5 && job.warnings.isEmpty)
            let again = try await service.run(["download", job.id, "-o", "again.xlsx"], as: ServiceProcess.europe)
            #expect(again.status == 0, "\(again.errors)")
            let client = try service.client()
            #expect(try await client.call(ServiceHealth.self, NoMembers()).status == .ok)
            #expect(try await client.call(ServiceWorkers.self, NoMembers()).workers.count == 1)
            let doctor = try await service.run(["doctor"])
            #expect(doctor.output.contains("1 worker") && !doctor.output.contains("Start a worker"), "\(doctor.output)")
            let check = try await Programs.run(
                "adminexportd", ["check-config", "--archives", service.archives],
                environment: keep.merging(["ADMINEXPORT_DATABASE_URL": service.database.url()]) { $1 })
            #expect(check.status == 0 && check.output.contains("serve and work"), "\(check)")
        }
        return made
    }

    @Test("An export and all checks give the same results for any settings of the login", arguments: [true, false])
    func same(_ keepsSessions: Bool) async throws {
        let usual = try await export("SELECT 1", keepsSessions: keepsSessions)
        let hostile = try await export(Self.settings, keepsSessions: keepsSessions)
        #expect(usual.contains("<row") && usual == hostile)
    }

    @Test("The environment variables of PostgreSQL's clients do not change an export")
    func environment() async throws {
        let hostile = [
            "PGOPTIONS":
                "-c quote_all_identifiers=on -c default_transaction_read_only=on -c search_path=pg_temp -c statement_timeout=700",
            "PGTZ": "Asia/Kathmandu", "PGDATESTYLE": "German", "PGCLIENTENCODING": "LATIN1", "PGGEQO": "off",
            "PGAPPNAME": "hostile",
        ]
        try await ServiceProcess.with(environment: hostile) { service in
            let job = try await service.export()
            #expect(job.state == .succeeded && job.rows == 6 && job.warnings.isEmpty)
        }
    }

    @Test("A login with unsuitable settings ends the process with status 78, the setting and the remedy")
    func unsuitable() async throws {
        try await TestDatabase.with { database in
            try await database.execute(
                "ALTER ROLE \(TestDatabase.serviceUser) IN DATABASE \(database.name) SET session_replication_role = replica")
            try await TemporaryFolder.with { folder in
                let environment = ["ADMINEXPORT_DATABASE_URL": database.url(), "ADMINEXPORT_ARCHIVES": folder]
                for arguments in [["check-config"], ["serve", "--socket", folder + "/s"], ["work"]] {
                    let result = try await Programs.run("adminexportd", arguments, environment: environment)
                    #expect(result.status == 78 && result.errors.contains("RESET session_replication_role"), "\(result)")
                }
            }
        }
    }
}
