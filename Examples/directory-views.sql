-- An example of views that map the tables of a platform to the relations that adminexport reads. The platform's tables have other
-- names and columns, and uuid keys. The first part creates such a platform, to try the example. The second part shows the views that
-- you write for your platform.
--
--     createdb example
--     psql -d example -v ON_ERROR_STOP=1 -f directory-views.sql
--     # In /etc/adminexport/config.yaml, set database.url to postgresql:///example?host=/run/postgresql. Then:
--     systemctl restart adminexport-migrate        # grants the services the privileges on the columns that they read
--     systemctl restart adminexport 'adminexport-worker@*'
-- Archives belong to one database: OPERATIONS.md describes what to do with existing archives.

-- 1. The platform.

CREATE SCHEMA platform;
CREATE TABLE platform.customer (
    id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    handle   text NOT NULL UNIQUE,
    company  text NOT NULL,
    settings jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE platform.role (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL REFERENCES platform.customer,
    title       text NOT NULL,
    abilities   jsonb NOT NULL DEFAULT '[]',
    own_tags    boolean NOT NULL DEFAULT false
);
CREATE TABLE platform.tag (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL REFERENCES platform.customer,
    label       text NOT NULL,
    above       uuid REFERENCES platform.tag
);
CREATE TABLE platform.squad (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL REFERENCES platform.customer,
    label       text NOT NULL
);
CREATE TABLE platform.account (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL REFERENCES platform.customer,
    first_name  text NOT NULL,
    last_name   text NOT NULL,
    login       text NOT NULL,
    mobile      text,
    is_admin    boolean NOT NULL,
    role_id     uuid NOT NULL REFERENCES platform.role,
    blocked_at  timestamptz,
    created     timestamptz NOT NULL DEFAULT now(),
    changed     timestamptz,
    position    text,
    seen        timestamptz,
    mfa_since   timestamptz,
    secret_hash text NOT NULL
);
CREATE INDEX ON platform.account (customer_id, id) WHERE is_admin;
CREATE INDEX ON platform.account (customer_id, login) WHERE is_admin;
CREATE TABLE platform.account_tag (
    account_id uuid NOT NULL REFERENCES platform.account,
    tag_id     uuid NOT NULL REFERENCES platform.tag,
    is_main    boolean NOT NULL,
    PRIMARY KEY (account_id, tag_id)
);
CREATE UNIQUE INDEX ON platform.account_tag (account_id) WHERE is_main;
CREATE TABLE platform.squad_member (
    account_id uuid NOT NULL REFERENCES platform.account,
    squad_id   uuid NOT NULL REFERENCES platform.squad,
    PRIMARY KEY (account_id, squad_id)
);

INSERT INTO platform.customer (handle, company, settings) VALUES ('globex', 'Globex', '{"tz": "Asia/Tokyo"}');
INSERT INTO platform.role (customer_id, title, abilities, own_tags)
    SELECT id, 'Head', '["administrators.view", "billing", "security.view"]'::jsonb, false FROM platform.customer
    UNION ALL SELECT id, 'Lead', '["administrators.view"]', true FROM platform.customer
    UNION ALL SELECT id, 'Helper', '[]', false FROM platform.customer;
INSERT INTO platform.tag (customer_id, label) SELECT id, 'World' FROM platform.customer;
INSERT INTO platform.tag (customer_id, label, above)
    SELECT t.customer_id, place, t.id FROM platform.tag t, unnest(ARRAY['Kyoto', 'Lyon, France']) place WHERE t.label = 'World';
INSERT INTO platform.squad (customer_id, label) SELECT id, unnest(ARRAY['Night', 'Day']) FROM platform.customer;
INSERT INTO platform.account (customer_id, first_name, last_name, login, mobile, is_admin, role_id, blocked_at, created, position, seen, mfa_since, secret_hash)
    SELECT c.id, 'First' || n, 'Last' || n, CASE n WHEN 1 THEN 'head' WHEN 2 THEN 'lead' WHEN 3 THEN 'helper' ELSE 'a' || n END || '@globex.example',
        CASE WHEN n % 3 = 0 THEN '+81 3 5555 ' || lpad(n::text, 4, '0') END, n % 50 <> 49,
        (SELECT r.id FROM platform.role r WHERE r.title = CASE n WHEN 1 THEN 'Head' WHEN 2 THEN 'Lead' ELSE 'Helper' END),
        CASE WHEN n % 20 = 19 THEN now() END, timestamptz '2024-12-31 20:00+00' + n * interval '1 hour',
        'Engineer ' || n % 7, CASE WHEN n % 9 > 0 THEN timestamptz '2026-11-30 12:00+00' - n * interval '53 minutes' END,
        CASE WHEN n % 4 > 0 THEN timestamptz '2025-05-05 05:05+00' END, 'not for anybody'
    FROM platform.customer c, generate_series(1, 300) n;
INSERT INTO platform.account_tag
    SELECT a.id, t.id, true FROM platform.account a
    JOIN platform.tag t ON t.label = CASE WHEN right(a.first_name, 1) IN ('2', '4') THEN 'Kyoto' ELSE 'World' END;
INSERT INTO platform.account_tag
    SELECT a.id, t.id, false FROM platform.account a JOIN platform.tag t ON t.label = 'Lyon, France' WHERE a.first_name LIKE '%5';
INSERT INTO platform.squad_member
    SELECT a.id, s.id FROM platform.account a, platform.squad s WHERE a.first_name LIKE '%7';

-- 2. The views that adminexport reads. They omit columns that adminexport does not need, and accounts that are not administrators.

CREATE SCHEMA directory;
CREATE VIEW directory.tenant AS
    SELECT id, handle AS slug, company AS name, coalesce(settings ->> 'tz', 'UTC') AS time_zone FROM platform.customer;
CREATE VIEW directory.profile AS
    SELECT id, customer_id AS tenant_id, title AS name, ARRAY(SELECT jsonb_array_elements_text(abilities)) AS permissions,
        CASE WHEN own_tags THEN 'groups' ELSE 'tenant' END AS scope
    FROM platform.role;
CREATE VIEW directory.administrator_group AS
    SELECT id, customer_id AS tenant_id, label AS name, above AS parent_id FROM platform.tag;
CREATE VIEW directory.team AS
    SELECT id, customer_id AS tenant_id, label AS name FROM platform.squad;
CREATE VIEW directory.administrator AS
    SELECT a.id, a.customer_id AS tenant_id, a.first_name || ' ' || a.last_name AS name, a.login AS email, a.mobile AS phone,
        a.role_id AS profile_id,
        (SELECT t.tag_id FROM platform.account_tag t WHERE t.account_id = a.id AND t.is_main) AS main_group_id,
        CASE WHEN a.blocked_at IS NULL THEN 'enabled' ELSE 'disabled' END AS status,
        a.created AS created_at, coalesce(a.changed, a.created) AS updated_at,
        -- Further columns of workbooks, if the configuration declares them:
        --     attributes:
        --       - {column: job_title, title: Job title, type: text}
        --       - {column: last_sign_in, title: Last sign-in, type: datetime, permission: security.view}
        --       - {column: mfa_enabled, title: MFA, type: boolean, permission: security.view}
        a.position AS job_title, a.seen AS last_sign_in, a.mfa_since IS NOT NULL AS mfa_enabled
    FROM platform.account a WHERE a.is_admin;
CREATE VIEW directory.administrator_secondary_group AS
    SELECT account_id AS administrator_id, tag_id AS group_id FROM platform.account_tag WHERE NOT is_main;
CREATE VIEW directory.administrator_team AS
    SELECT account_id AS administrator_id, squad_id AS team_id FROM platform.squad_member;
