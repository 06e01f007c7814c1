/// A tenant in which each administrator serves a test case, and another tenant with similar names.
package enum SmallTenant {
    /// acme: groups Europe > France > Paris, and Asia; profiles with each scope and one without permission.
    ///
    /// | id | e-mail | profile | main group | secondary | status |
    /// |---|---|---|---|---|---|
    /// | 1 | owner@ | all | – | – | enabled |
    /// | 2 | europe@ | groups | Europe | – | enabled |
    /// | 3 | nobody@ | none | Europe | – | enabled |
    /// | 4 | gone@ | all | – | – | disabled |
    /// | 5 | paris@ | none | Paris | – | enabled |
    /// | 6 | asia@ | none | Asia | Paris | enabled |
    /// | 7 | tokyo@ | none | Asia | – | enabled |
    /// | 8 | off@ | none | France | – | disabled |
    package static let sql = """
        SET ROLE adminexport_owner;
        INSERT INTO directory.tenant (id, slug, name, time_zone) OVERRIDING SYSTEM VALUE VALUES
            (1, 'acme', 'Acme', 'Europe/Paris'), (2, 'globex', 'Globex', 'UTC');
        INSERT INTO directory.profile (id, tenant_id, name, permissions, scope) OVERRIDING SYSTEM VALUE VALUES
            (1, 1, 'Super Administrator', '{administrators.view}', 'tenant'),
            (2, 1, 'Regional Manager', '{administrators.view}', 'groups'),
            (3, 1, 'Help Desk', '{tickets.view}', 'tenant'),
            (4, 2, 'Super Administrator', '{administrators.view}', 'tenant');
        INSERT INTO directory.administrator_group (id, tenant_id, name, parent_id) OVERRIDING SYSTEM VALUE VALUES
            (1, 1, 'Europe', NULL), (2, 1, 'France', 1), (3, 1, 'Paris, "City"', 2), (4, 1, 'Asia', NULL),
            (5, 2, 'Europe', NULL);
        INSERT INTO directory.team (id, tenant_id, name) OVERRIDING SYSTEM VALUE VALUES
            (1, 1, 'Support'), (2, 1, 'EMEA'), (3, 2, 'Support');
        INSERT INTO directory.administrator
            (id, tenant_id, name, email, phone, profile_id, main_group_id, status, created_at, updated_at, password_hash)
            OVERRIDING SYSTEM VALUE VALUES
            (1, 1, 'John Smith', 'owner@acme.example', '+33 6 12 34 56 78', 1, NULL, 'enabled', '2025-10-24 10:00Z', '2026-05-22 10:00Z', 'h'),
            (2, 1, 'Zoë Müller', 'europe@acme.example', NULL, 2, 1, 'enabled', '2025-01-31 23:30Z', '2026-06-30 22:30Z', 'h'),
            (3, 1, '=1+1', 'nobody@acme.example', NULL, 3, 1, 'enabled', '2025-01-01Z', '2025-01-01Z', 'h'),
            (4, 1, '伟 王', 'gone@acme.example', NULL, 1, NULL, 'disabled', '2025-01-01Z', '2025-01-01Z', 'h'),
            (5, 1, 'محمد', 'paris@acme.example', NULL, 3, 3, 'enabled', '2025-01-01Z', '2025-01-01Z', 'h'),
            (6, 1, ' outer ', 'asia@acme.example', NULL, 3, 4, 'enabled', '2025-01-01Z', '2025-01-01Z', 'h'),
            (7, 1, '👩‍💻', 'tokyo@acme.example', NULL, 3, 4, 'enabled', '2025-01-01Z', '2025-01-01Z', 'h'),
            (8, 1, 'Off', 'off@acme.example', NULL, 3, 2, 'disabled', '2025-01-01Z', '2025-01-01Z', 'h'),
            (9, 2, 'John Smith', 'owner@acme.example', NULL, 4, 5, 'enabled', '2025-01-01Z', '2025-01-01Z', 'h'),
            (10, 2, 'Jane', 'owner@globex.example', NULL, 4, 5, 'enabled', '2025-01-01Z', '2025-01-01Z', 'h');
        INSERT INTO directory.administrator_secondary_group VALUES (6, 3), (1, 3), (1, 2), (1, 1), (9, 5);
        INSERT INTO directory.administrator_team VALUES (1, 1), (1, 2), (9, 3);
        RESET ROLE
        """
}
