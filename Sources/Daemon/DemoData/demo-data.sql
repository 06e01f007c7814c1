-- A realistic tenant, by a few set-based statements. Takes demo.tenant (slug), demo.administrators and demo.seed from
-- transaction-local settings. Equal numbers give equal data: every choice is a hash of the seed, the administrator's
-- number and the kind of choice.

CREATE FUNCTION pg_temp.pick(number bigint, choice integer, bound bigint) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT mod(hashint8extended(number * 64 + choice, current_setting('demo.seed')::bigint) & 9223372036854775807, bound)
$$;

INSERT INTO directory.tenant (slug, name, time_zone)
VALUES (current_setting('demo.tenant'), initcap(current_setting('demo.tenant')) || ' Corporation', 'Europe/Paris');

CREATE TEMPORARY TABLE demo ON COMMIT DROP AS
SELECT id AS tenant_id FROM directory.tenant WHERE slug = current_setting('demo.tenant');

INSERT INTO directory.profile (tenant_id, name, permissions, scope)
SELECT tenant_id, name, permissions, scope
FROM pg_temp.demo, (VALUES
    (1, 'Super Administrator', ARRAY['administrators.view', 'administrators.edit', 'settings.edit'], 'tenant'),
    (2, 'Account Manager',     ARRAY['administrators.view', 'administrators.edit'], 'tenant'),
    (3, 'Regional Manager',    ARRAY['administrators.view', 'administrators.edit'], 'groups'),
    (4, 'Auditor',             ARRAY['administrators.view'], 'groups'),
    (5, 'Help Desk',           ARRAY['tickets.view'], 'tenant')) AS p (number, name, permissions, scope)
ORDER BY number;

-- 8 regions, 48 countries, 144 sites: a tree of three levels.
INSERT INTO directory.administrator_group (tenant_id, name)
SELECT tenant_id, name
FROM pg_temp.demo, unnest(ARRAY['Europe', 'North America', 'Latin America', 'Africa', 'Middle East, Gulf', 'South Asia',
                        'East Asia', 'Oceania']) WITH ORDINALITY AS r (name, number)
ORDER BY number;

INSERT INTO directory.administrator_group (tenant_id, name, parent_id)
SELECT demo.tenant_id, names[(row_number() OVER (ORDER BY parent.id, k))::int], parent.id
FROM pg_temp.demo, generate_series(1, 6) k, directory.administrator_group parent,
    (SELECT ARRAY['France', 'Spain', 'Germany', 'Italy', 'Poland', 'United Kingdom',
                  'Canada', 'United States', 'México', 'Greenland', 'Bermuda', 'Québec',
                  'Brasil', 'Argentina', 'Chile', 'Colombia', 'Perú', 'Uruguay',
                  'Maroc', 'Egypt', 'Kenya', 'Nigeria', 'Sénégal', 'South Africa',
                  'الإمارات', 'Qatar', 'Saudi Arabia', 'Jordan', 'Oman', 'Israel',
                  'India', 'Nepal', 'Sri Lanka', 'Bangladesh', 'Pakistan', 'Bhutan',
                  '日本', '中国', '대한민국', 'Hong Kong', 'Taiwan', 'Mongolia',
                  'Australia', 'New Zealand', 'Fiji', 'Samoa', 'Tonga', 'Papua "PNG"'] AS names) n
WHERE parent.tenant_id = demo.tenant_id
ORDER BY parent.id, k;

INSERT INTO directory.administrator_group (tenant_id, name, parent_id)
SELECT demo.tenant_id, parent.name || suffix, parent.id
FROM pg_temp.demo, directory.administrator_group parent, unnest(ARRAY[' North', ' South', ', Overseas']) WITH ORDINALITY AS s (suffix, k)
WHERE parent.tenant_id = demo.tenant_id AND parent.parent_id IS NOT NULL
ORDER BY parent.id, k;

INSERT INTO directory.team (tenant_id, name)
SELECT tenant_id, area || ' ' || unit
FROM pg_temp.demo,
    unnest(ARRAY['EMEA', 'APAC', 'Americas', 'Core', 'Cloud', 'Edge', 'Data', 'Field', 'R&D', 'Partner, Channel'])
        WITH ORDINALITY AS a (area, i),
    unnest(ARRAY['Support', 'Operations', 'Security', 'Network', 'Identity', 'Billing', 'Sales', 'Logistics', 'Training',
                 'Quality']) WITH ORDINALITY AS u (unit, j)
ORDER BY i, j;

CREATE TEMPORARY TABLE demo_choice ON COMMIT DROP AS
SELECT demo.tenant_id,
    (SELECT array_agg(id ORDER BY id) FROM directory.profile p WHERE p.tenant_id = demo.tenant_id) AS profiles,
    (SELECT array_agg(id ORDER BY id) FROM directory.administrator_group g WHERE g.tenant_id = demo.tenant_id) AS groups,
    (SELECT array_agg(id ORDER BY id) FROM directory.team t WHERE t.tenant_id = demo.tenant_id) AS teams,
    ARRAY['John', 'Mary', 'Amélie', 'José', 'Łukasz', 'Søren', 'Zoë', 'Дмитрий', 'Ольга', 'Γιώργος', '美咲', '伟', '지훈',
          'محمد', 'فاطمة', 'דוד', 'अनन्या', 'สมชาย', 'Nguyễn', 'Chidi', 'Aroha', 'Seán', 'Björk', 'Ana'] AS first_names,
    ARRAY['john', 'mary', 'amelie', 'jose', 'lukasz', 'soren', 'zoe', 'dmitri', 'olga', 'giorgos', 'misaki', 'wei', 'jihun',
          'mohammed', 'fatima', 'david', 'ananya', 'somchai', 'nguyen', 'chidi', 'aroha', 'sean', 'bjork', 'ana'] AS first_ascii,
    ARRAY['Smith', 'Martin', 'García', 'Müller', 'Kowalski', 'Иванов', 'Παπαδόπουλος', '佐藤', '王', '김', 'الحسن', 'כהן',
          'शर्मा', 'O''Brien', 'd''Angelo', 'van der Berg', 'Núñez', 'Ødegård', 'Okafor', 'Kahananui', 'Lindqvist', 'Rossi',
          'Dubois', 'Silva', 'Novák', 'Horváth', 'Jensen', 'Costa', 'Moreau', 'Nakamura', 'Santos', 'Weiß'] AS last_names,
    ARRAY['smith', 'martin', 'garcia', 'muller', 'kowalski', 'ivanov', 'papadopoulos', 'sato', 'wang', 'kim', 'alhassan', 'cohen',
          'sharma', 'obrien', 'dangelo', 'vanderberg', 'nunez', 'odegard', 'okafor', 'kahananui', 'lindqvist', 'rossi',
          'dubois', 'silva', 'novak', 'horvath', 'jensen', 'costa', 'moreau', 'nakamura', 'santos', 'weiss'] AS last_ascii,
    ARRAY['Smith & Sons <ops>', 'Robert "Bob" Tables', '=HYPERLINK("https://example.com","click")', '+33 Hotline',
          '-1+2', '@oncall', '  Outer Spaces  ', E'Line\nBreak', 'Grace 👩‍💻 Hopper', 'Comma, Inc.', '_x0041_ Escape',
          E'Tab\there'] AS odd_names
FROM pg_temp.demo;

-- The first three are the ones to try the service with; the others follow their number's hashes.
INSERT INTO directory.administrator (tenant_id, name, email, phone, profile_id, main_group_id, status, created_at, updated_at,
                                     password_hash, totp_secret, api_key, session_token)
SELECT c.tenant_id,
    CASE WHEN i = 1 THEN 'Olivia Owner' WHEN i = 2 THEN 'Emma Europe' WHEN i = 3 THEN 'Hugo Helpdesk'
         WHEN pg_temp.pick(i, 1, 200) = 0 THEN c.odd_names[1 + pg_temp.pick(i, 2, 12)]
         ELSE c.first_names[1 + f] || ' ' || c.last_names[1 + l] END,
    CASE WHEN i = 1 THEN 'owner' WHEN i = 2 THEN 'europe' WHEN i = 3 THEN 'helpdesk'
         ELSE c.first_ascii[1 + f] || '.' || c.last_ascii[1 + l] || '.' || i END || '@' || current_setting('demo.tenant') || '.example',
    CASE WHEN pg_temp.pick(i, 5, 20) > 0 THEN
        '+33 ' || (6 + pg_temp.pick(i, 6, 2)) || ' ' || to_char(pg_temp.pick(i, 7, 100000000), 'FM00" "00" "00" "00') END,
    c.profiles[CASE WHEN i = 1 THEN 1 WHEN i = 2 THEN 3 WHEN i = 3 THEN 5
                    ELSE 1 + least(4, pg_temp.pick(i, 8, 12)) END],
    CASE WHEN i = 2 THEN c.groups[1]
         WHEN i <= 3 OR pg_temp.pick(i, 9, 50) > 0 THEN c.groups[1 + pg_temp.pick(i, 10, 200)] END,
    CASE WHEN i > 3 AND pg_temp.pick(i, 11, 10) = 0 THEN 'disabled' ELSE 'enabled' END,
    created, created + make_interval(secs => pg_temp.pick(i, 13, 15552000)),
    'argon2id$demo$' || i, 'TOTP-DEMO-' || i, 'KEY-DEMO-' || i, NULL
FROM pg_temp.demo_choice c, generate_series(1, current_setting('demo.administrators')::bigint) i,
    LATERAL (SELECT pg_temp.pick(i, 3, 24)::int AS f, pg_temp.pick(i, 4, 32)::int AS l,
                    timestamptz '2019-01-01 00:00+00' + make_interval(secs => pg_temp.pick(i, 12, 220000000)) AS created) h
ORDER BY i;

-- None to three each; the steps are prime to the number of choices, so that none comes twice.
INSERT INTO directory.administrator_secondary_group (administrator_id, group_id)
SELECT a.id, c.groups[1 + mod(a.start + 67 * k, 200)]
FROM pg_temp.demo_choice c,
    LATERAL (SELECT id, pg_temp.pick(id, 20, 4) AS links, pg_temp.pick(id, 21, 200) AS start
             FROM directory.administrator WHERE tenant_id = c.tenant_id ORDER BY id OFFSET 0) a,
    generate_series(1, a.links) k;

INSERT INTO directory.administrator_team (administrator_id, team_id)
SELECT a.id, c.teams[1 + mod(a.start + 33 * k, 100)]
FROM pg_temp.demo_choice c,
    LATERAL (SELECT id, pg_temp.pick(id, 30, 4) AS links, pg_temp.pick(id, 31, 100) AS start
             FROM directory.administrator WHERE tenant_id = c.tenant_id ORDER BY id OFFSET 0) a,
    generate_series(1, a.links) k;
