-- A tenant with texts and dates that cause faults in programs. `make check-readers` exports it and reads it back.
--
-- For psql, in a database that `adminexportd migrate --with-directory` has created. Each run gives the same rows, because
-- nothing is random. The owner is owner@nasty.example; other e-mail addresses are texts like all the others.
--
-- Every text comes three times in each of two places: as name, as e-mail address and as phone number of some
-- administrator, first while the workbook's shared strings take new texts, and again after more than 2,048
-- administrators of whom no two are alike, when the same columns are written as inline strings.

\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
BEGIN;
SET LOCAL ROLE adminexport_owner;

CREATE TEMPORARY TABLE nasty_text (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value text NOT NULL) ON COMMIT DROP;

-- Control characters: U+0001 to U+001F, U+007F to U+009F, alone, inside, at the ends, beside line ends and underscores.

INSERT INTO nasty_text (value)
SELECT before || chr(code) || after
FROM (SELECT generate_series(1, 31) UNION ALL SELECT generate_series(127, 159)) AS c (code),
    (VALUES (1, '', ''), (2, 'in', 'side'), (3, '', 'first'), (4, 'last', ''), (5, E'line\n', E'\nline'), (6, '_', '_'))
        AS around (place, before, after)
ORDER BY code, place;

INSERT INTO nasty_text (value)
SELECT string_agg(chr(code), '' ORDER BY code) FROM generate_series(1, 31) AS c (code)
UNION ALL SELECT string_agg(chr(code), '' ORDER BY code) FROM generate_series(127, 159) AS c (code);

-- Noncharacters, the replacement character, the byte order mark, private use, and the last of every plane.

INSERT INTO nasty_text (value)
SELECT before || chr(code) || after
FROM unnest(ARRAY[x'FFFD'::int, x'FFFE'::int, x'FFFF'::int, x'FEFF'::int, x'FDD0'::int, x'FDEF'::int, x'E000'::int,
    x'F8FF'::int,
                  x'1FFFE'::int, x'1FFFF'::int, x'2FFFE'::int, x'F0000'::int, x'10FFFD'::int, x'10FFFE'::int,
                  x'10FFFF'::int,
                  x'D7FF'::int, x'10000'::int])
        WITH ORDINALITY AS c (code, number),
    (VALUES (1, '', ''), (2, 'in', 'side'), (3, '', 'first'), (4, 'last', '')) AS around (place, before, after)
ORDER BY number, place;

-- Texts that look like an escape of ECMA-376 (ST_Xstring), or almost.

INSERT INTO nasty_text (value)
SELECT value
FROM unnest(ARRAY[
    '_', '__', '_x', '_X', '_x_', '_x0', '_x00', '_x004', '_x0041', '_x004_', '_x00041_', '_x0041_', '_X0041_',
    '_x00e9_',
    '_x00E9_', '_X00E9_', '_X00e9_', '_x000d_', '_x000D_', '_x000A_', '_x0020_', '_x0020_x0041_', '_x005F_x0020_',
    '_x0009_', '_x0000_', '_x0001_', '_x001F_', '_xFFFF_',
    '_xfffe_', '_xD83D_', '_xD83D__xDE00_', '_xDE00_', '_xZZZZ_', '_x004G_', '_xG041_', '_x 041_', '_x+041_', '_x-041_',
    '_x0x41_', '__x0041_', '_x0041__', '__x0041__', '___x0041___', '_x0041__x0042_', '_x0041_x0042_',
    '_x0041_x0042_x0043_',
    'a_x0041_b', 'a _x0041_ b', '_x005F_', '_x005f_', '_X005F_', '_x005F_x0041_', '_x005F_x005F_x0041_', '_x005Fx0041_',
    'x005F_', 'x0041_', 'ax005F_b', '_x005F_x005F_', 'x005F_x005F_', '_x005', '_x0041_' || chr(1), '_x0041' || chr(1),
    '_x0041' || chr(31) || 'x0042_', chr(1) || '_x0041_', chr(1) || 'x0041_', '_x004' || chr(11) || '1_',
    '_x' || chr(1) || '0041_',
    '_x0041' || chr(65535), '_x0041' || chr(65534) || '_', '_x0041' || E'\t', '_x0041' || E'\n', '_x0041' || E'\r',
    '_x0041&_',
    '_x0041' || chr(127), '＿x0041＿', '_x٠٠٤١_', '_x００４１_', '&#x41;_x0041_', '_x000D_' || E'\r\n', 'snake_case_name',
    'x_' || repeat('_x0041_', 40)])
    WITH ORDINALITY AS t (value, number)
ORDER BY number;

-- Line ends: each becomes one line feed in a cell.

INSERT INTO nasty_text (value)
SELECT value
FROM unnest(ARRAY[
    E'\n', E'\r', E'\r\n', E'\r\r\n', E'\n\r', E'\n\n', E'\r\r', E'\r\n\r\n', E'a\nb', E'a\rb', E'a\r\nb', E'a\r\r\nb',
    E'a\n\rb',
    E'a\r\n\nb', E'a\n\n\nb', E'\na', E'\ra', E'\r\na', E'a\n', E'a\r', E'a\r\n', E'a\n\n', E' \n ', E'a \n b',
    E'a\t\r\n\tb',
    'a' || chr(11) || 'b' || chr(12) || 'c', 'a' || chr(133) || 'b', 'a' || chr(8232) || 'b', 'a' || chr(8233) || 'b'])
    WITH ORDINALITY AS t (value, number)
ORDER BY number;

-- White space at the ends and alone: ASCII, no-break, every width, line and paragraph separators, and what has no
-- width.

INSERT INTO nasty_text (value)
SELECT before || chr(code) || after
FROM unnest(ARRAY[9, 10, 32, 133, 160, 173, 5760, 6158, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201,
    8202, 8203,
                  8204, 8205, 8232, 8233, 8239, 8287, 8288, 12288, 10240, 65279])
        WITH ORDINALITY AS c (code, number),
    (VALUES (1, '', ''), (2, '', 'x'), (3, 'x', ''), (4, ' ', ' '), (5, 'two words', E'\n'))
        AS around (place, before, after)
ORDER BY number, place;

INSERT INTO nasty_text (value)
SELECT value
FROM unnest(ARRAY['  ', '   x', 'x   ', 'two  spaces', E'\t\t', E'\tx\t', E' \t x \t ', repeat(' ', 300),
    repeat(chr(160), 300)])
    WITH ORDINALITY AS t (value, number)
ORDER BY number;

-- Scripts, combining marks, emoji sequences, and both directions of writing.

INSERT INTO nasty_text (value)
SELECT value
FROM unnest(ARRAY[
    U&'\00E9', U&'e\0301', U&'\0301', U&'\0301e', U&'a\0301\0302\0303\0304\0305\0306\0307\0308',
    'Z' || repeat(U&'\0334\0353', 60),
    U&'\1100\1161\11A8', '각', 'ﬁ', 'ẞß', 'İıIi', 'ǅ', 'Ω' || U&'\2126', U&'\0344', U&'\FB1D',
    '👩‍💻', '👨‍👩‍👧‍👦', '🏳️‍🌈', '🇫🇷', '🇫', '👍🏽', '1️⃣', '🏴' || U&'\+0E0067\+0E0062\+0E0065\+0E006E\+0E0067\+0E007F', '😀',
    '😀😀',
    '𝔘𝔫𝔦𝔠𝔬𝔡𝔢', '𠮷野家', '日本語', '中文，名字', '한국어', 'ไทย', 'हिन्दी', 'မြန်မာ', 'Ελληνικά', 'Кириллица', 'עברית', 'العربية',
    U&'abc\202Egpj.exe', U&'\202Aabc\202C', U&'\2066abc\2069', U&'\200Fabc\200E', U&'\061Cabc', U&'\05D0 (1) \05D1',
    U&'\2067\05D0\2069 abc', U&'\FE0F', U&'x\FE0E', U&'a\200Db', U&'a\200Cb', U&'\FFF9a\FFFAb\FFFB', U&'\FFFC',
    U&'\+01D173', U&'\+0E0001', U&'\2028\2029', 'Łódź', 'Đặng Thị Ngọc', 'Þór'])
    WITH ORDINALITY AS t (value, number)
ORDER BY number;

-- Texts that a spreadsheet might compute, load, or execute.

INSERT INTO nasty_text (value)
SELECT value
FROM unnest(ARRAY[
    '=', '=1+1', '=A1', '=SUM(A1:A9)', ' =1+1', E'\t=1+1', E'\r=1+1', E'\n=1+1', '''=1+1', '''', '''''', '''007',
    '"=1+1"', '+1+1', '+33612345678',
    '-1+1', '-', '+', '@', '@SUM(1,1)', '＝1+1', '＋1', '－1', '＠a', '{=1+1}', '{=SUM(A1:A9)}', '=cmd|''/C calc''!A0',
    '=DDE("cmd";"/C calc";"x")',
    '=HYPERLINK("https://example.com","click")', '=WEBSERVICE("https://example.com/"&A1)',
    '=IMPORTXML("https://example.com","//a")',
    'https://example.com/?a=1&b=2', 'mailto:a@b.example', '=_xlfn.CONCAT(A1)', '=1+1' || chr(1), chr(1) || '=1+1',
    '%0A=1+1', '=', ';=1+1', ',=1+1',
    '|=1', '\=1', '=#REF!', '=TRUE()', '==', '= 1', '[Book.xlsx]Sheet!A1', 'R1C1', '$A$1'])
    WITH ORDINALITY AS t (value, number)
ORDER BY number;

-- Texts that a spreadsheet might treat as a number, a date, a boolean or an error.

INSERT INTO nasty_text (value)
SELECT value
FROM unnest(ARRAY[
    '0', '007', '00', '-0', '1', '1.0', '1,5', '1.5', '.5', '5.', '1e5', '1E5', '1E+400', '1E-400',
    '12345678901234567890', '123456789012345678',
    '0.1', '1,234', '1 234', '1' || chr(160) || '234', '1' || chr(8239) || '234', '$5', '5 €', '50%', '(5)', '5-',
    '0x1F', '1/2', '½', '٣', '１２', 'Ⅳ',
    'NaN', 'nan', 'Infinity', '-inf', 'inf', 'TRUE', 'FALSE', 'true', 'Yes', 'null', 'NULL', 'None', 'NA', 'N/A',
    '#N/A', '#DIV/0!', '#NAME?', '#NULL!',
    '#NUM!', '#REF!', '#VALUE!', '#GETTING_DATA', '#SPILL!', '#', '-1.#IND', '2025-01-31', '31/01/2025', '1/2/2025',
    '2025-02-30', '2025-01-31 10:00:00',
    '2025-01-31T10:00:00Z', '10:30', '25:00', 'Jan-1', 'MARCH1', 'SEPT2', '1-2', '45000', '2.5e-3', '+1', '1_000',
    '9999999999999999', '<NA>', 'n/a'])
    WITH ORDINALITY AS t (value, number)
ORDER BY number;

-- XML, CSV and other markup; long words; the empty text.

INSERT INTO nasty_text (value)
SELECT value
FROM unnest(ARRAY[
    '', '&', '<', '>', '"', '''', '&&', '<>', '&amp;', '&amp;amp;', '&lt;', '&#65;', '&#x41;', '&#0;', '&#xD;',
    '&nbsp;', '&unknown;', '&', '&;', '<b>bold</b>',
    '</t></is></c>', '</v>', '<t xml:space="preserve"> x </t>', '<![CDATA[x]]>', ']]>', ']]', ']]&gt;', '<!-- x -->',
    '--', '-->', '<?xml version="1.0"?>', '<?x?>',
    '<!DOCTYPE x>', '%x;', '{{x}}', '${x}', '\', '\\', '\n', '\N', '\x01', '\u0001', '%s %d %n', '/',
    '../../etc/passwd', 'C:\temp', 'a,b', 'a;b', 'a|b', 'a"b',
    '"a"', '"', '""', '"""', '",', ',"', ',', ', ', 'a, "b", c', E'"\n"', '''; DROP TABLE x; --', '`x`', '#', '# x',
    '//', '/* x */', '?', '*', '~', '^', '&T', '&P of &N', '[Red]',
    repeat('w', 200), repeat('w', 255), repeat('w', 256), repeat('w', 1023), repeat('w', 1024), repeat('w', 1025),
    repeat('é', 512), repeat('é', 513), repeat('日', 341),
    repeat('_', 1024), repeat('<', 1024), repeat(chr(1), 1024), repeat(E'\n', 252), repeat(E'\n', 254), repeat(E'a\n',
    600)])
    WITH ORDINALITY AS t (value, number)
ORDER BY number;

-- Names of profiles, groups and teams: separators of lists and paths, and examples of all kinds above.

CREATE TEMPORARY TABLE nasty_name (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value text NOT NULL) ON COMMIT DROP;

INSERT INTO nasty_name (value)
SELECT value
FROM unnest(ARRAY[
    'Plain', 'Comma, Inc.', ',', ', ', 'ends with,', 'Say "hello"', '"', '""', '"quoted"', '", "', 'a/b', 'a / b', '/',
    ' / ', '//', '"/"', '\', ' leading', 'trailing ',
    '  both  ', E'line\nbreak', E'cr\r\nlf', E'cr\rcr', E'\n', E'tab\tinside', '_x0041_', '_x005F_', 'a_x000D_b',
    '=1+1', '+1', '-1', '@sum', '#N/A', '007', '1E5', 'TRUE',
    '2025-01-31', 'Ünïcödé', U&'\00E9', U&'e\0301', '日本、東京', '한국', 'שלום', 'مرحبا', U&'abc\202Edef', '&<>"''', '&amp;',
    ']]>', chr(1) || 'control' || chr(31), chr(127) || chr(133),
    chr(65535), chr(65279) || 'mark', '😀', '👩‍💻', chr(1114111), 'A', 'a', 'B', 'b', 'Z', chr(160) || 'x' || chr(160),
    chr(8232), '', ' ', '''', ';', '|',
    'Twin', 'Twin', repeat('n', 1025)])
    WITH ORDINALITY AS t (value, number)
ORDER BY number;

INSERT INTO directory.tenant (slug, name, time_zone) VALUES ('nasty', 'Nasty "Names" & <Sons>', 'America/New_York');
CREATE TEMPORARY TABLE nasty ON COMMIT DROP AS SELECT id AS tenant_id FROM directory.tenant WHERE slug = 'nasty';

INSERT INTO directory.profile (tenant_id, name, permissions, scope)
SELECT tenant_id, 'Owner', ARRAY['administrators.view'], 'tenant' FROM nasty;
INSERT INTO directory.profile (tenant_id, name, scope)
SELECT tenant_id, value, 'groups' FROM nasty, nasty_name ORDER BY number;
-- Longer than the limit of a cell.
INSERT INTO directory.profile (tenant_id, name, scope)
SELECT tenant_id, repeat('profile ', 5000), 'groups' FROM nasty;

INSERT INTO directory.team (tenant_id, name) SELECT tenant_id, value FROM nasty, nasty_name ORDER BY number;
INSERT INTO directory.team (tenant_id, name) SELECT tenant_id, repeat('😀', 16384) FROM nasty;

-- Groups: each name at the top, two others below it, and one below each of those. The twins have children that tell
-- them apart. A line of 60 generations, whose paths grow longer than a cell. Parents in a circle: two, one that is its
-- own, and one that is below a circle although its name comes before it.

INSERT INTO directory.administrator_group (tenant_id, name)
SELECT tenant_id, value FROM nasty, nasty_name ORDER BY number;

-- A name for each number, in rotation.
CREATE FUNCTION pg_temp.name(number bigint) RETURNS text LANGUAGE sql AS $$
    SELECT value FROM nasty_name WHERE nasty_name.number = 1 + mod($1, (SELECT count(*) FROM nasty_name))
$$;

INSERT INTO directory.administrator_group (tenant_id, name, parent_id)
SELECT g.tenant_id, pg_temp.name(g.id * 7 + k * 31), g.id
FROM nasty JOIN directory.administrator_group g USING (tenant_id), generate_series(1, 2) AS k
ORDER BY g.id, k;

INSERT INTO directory.administrator_group (tenant_id, name, parent_id)
SELECT g.tenant_id, pg_temp.name(g.id * 11 + 5), g.id
FROM nasty JOIN directory.administrator_group g USING (tenant_id)
WHERE g.parent_id IS NOT NULL
ORDER BY g.id;

INSERT INTO directory.administrator_group (tenant_id, name, parent_id)
SELECT g.tenant_id, 'Of ' || row_number() OVER (ORDER BY g.id), g.id
FROM nasty JOIN directory.administrator_group g USING (tenant_id)
WHERE g.name = 'Twin' AND g.parent_id IS NULL
ORDER BY g.id;

DO $$
DECLARE
    tenant bigint := (SELECT tenant_id FROM nasty);
    parent bigint;
    other bigint;
BEGIN
    FOR generation IN 1..60 LOOP
        INSERT INTO directory.administrator_group (tenant_id, name, parent_id)
        VALUES (tenant, 'Generation ' || generation || repeat(' "deep"/', 70), parent) RETURNING id INTO parent;
    END LOOP;
    INSERT INTO directory.administrator_group (tenant_id, name) VALUES (tenant, 'Circle B') RETURNING id INTO parent;
    INSERT INTO directory.administrator_group (tenant_id, name, parent_id)
    VALUES (tenant, 'Circle A', parent) RETURNING id INTO other;
    UPDATE directory.administrator_group SET parent_id = other WHERE id = parent;
    INSERT INTO directory.administrator_group (tenant_id, name, parent_id) VALUES (tenant, 'Below circle B', parent);
    INSERT INTO directory.administrator_group (tenant_id, name) VALUES (tenant, 'Ouroboros') RETURNING id INTO parent;
    UPDATE directory.administrator_group SET parent_id = parent WHERE id = parent;
END
$$;

-- The owner first, then every text in three columns, 2,200 administrators who differ in everything, and every text
-- again.

CREATE TEMPORARY TABLE nasty_choice ON COMMIT DROP AS
SELECT tenant_id,
    (SELECT array_agg(id ORDER BY id) FROM directory.profile p
     WHERE p.tenant_id = nasty.tenant_id AND p.name <> 'Owner') AS profiles,
    (SELECT array_agg(id ORDER BY id) FROM directory.administrator_group g
     WHERE g.tenant_id = nasty.tenant_id) AS groups,
    (SELECT array_agg(id ORDER BY id) FROM directory.team t WHERE t.tenant_id = nasty.tenant_id) AS teams,
    (SELECT array_agg(value ORDER BY number) FROM nasty_text) AS texts
FROM nasty;

INSERT INTO directory.administrator (tenant_id, name, email, profile_id, created_at, updated_at)
SELECT p.tenant_id, 'Owner', 'owner@nasty.example', p.id, '2025-07-01 12:00+00', '2025-07-01 12:00+00'
FROM nasty JOIN directory.profile p USING (tenant_id) WHERE p.name = 'Owner';

INSERT INTO directory.administrator
    (tenant_id, name, email, phone, profile_id, main_group_id, status, created_at, updated_at)
SELECT tenant_id,
    CASE part WHEN 2 THEN 'Name ' || i ELSE texts[i] END,
    CASE part WHEN 2 THEN i || '@filler.example' ELSE texts[1 + (i + 36) % cardinality(texts)] END,
    CASE part WHEN 2 THEN '+1 ' || i * 7919 ELSE texts[1 + (i + 72) % cardinality(texts)] END,
    profiles[1 + i % (cardinality(profiles) - 1)], groups[nullif(i % (1 + cardinality(groups)), 0)],
    CASE WHEN i % 3 = 0 THEN 'disabled' ELSE 'enabled' END,
    timestamptz '2000-01-01 04:30+00' + i * interval '7 hours',
    timestamptz '2020-02-28 04:30+00' + i * interval '23 hours 59 minutes'
FROM nasty_choice, generate_series(1, 3) AS part,
    generate_series(1, CASE part WHEN 2 THEN 2200 ELSE cardinality(texts) END) AS i
ORDER BY part, i;

-- The following administrators have one day, and one profile where it does not matter.

CREATE FUNCTION pg_temp.add(name text, email text, phone text, profile integer DEFAULT 1) RETURNS void LANGUAGE sql AS $$
    INSERT INTO directory.administrator (tenant_id, name, email, phone, profile_id, created_at, updated_at)
    SELECT tenant_id, name, email, phone, profiles[profile], '2025-07-01 12:00+00', '2025-07-01 12:00+00'
    FROM nasty_choice
$$;

-- Missing phone numbers and empty ones are the same in a cell.

SELECT pg_temp.add('No phone', 'a@b.example', NULL);
SELECT pg_temp.add('Empty phone', 'a@b.example', '');
SELECT pg_temp.add('', '', NULL);
SELECT pg_temp.add('', '', '');
SELECT pg_temp.add('No e-mail', '', ' ');

-- The cell's limit of 32,767 UTF-16 units, from both sides: one unit, two bytes, three bytes and two units for each
-- character; mixed; where it falls between surrogates, inside an escape, between CR and LF, and into white space. Texts
-- of more than 32,767 characters that fit once their line ends are single.

CREATE TEMPORARY TABLE nasty_long (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value text NOT NULL) ON COMMIT DROP;

INSERT INTO nasty_long (value)
SELECT repeat(filler, length)
FROM unnest(ARRAY['a', 'é', '日', '&', '_', E'\n', chr(1)]) WITH ORDINALITY AS f (filler, number),
    generate_series(32766, 32768) AS length
ORDER BY number, length;

INSERT INTO nasty_long (value)
SELECT value
FROM unnest(ARRAY[
    repeat('😀', 16383), repeat('😀', 16383) || 'a', 'a' || repeat('😀', 16383), 'a' || repeat('😀', 16384),
    repeat('😀', 16384), repeat('😀', 16384) || 'a', repeat('😀', 32768),
    repeat('a', 32765) || '😀', repeat('a', 32766) || '😀', repeat('a', 32767) || '😀',
    repeat('é', 32766) || '😀b', repeat('é', 32766) || chr(1114111),
    repeat('a', 32766) || chr(65535), repeat('a', 32767) || chr(65535),
    repeat('aé日😀', 6553), repeat('aé日😀', 6554),
    repeat('aé日😀_x0041_' || chr(1), 2520), repeat('aé日😀_x0041_' || chr(1), 2521),
    repeat('aé日😀_x0041_' || chr(1), 30000),
    repeat('a', 32760) || '_x0041_', repeat('a', 32761) || '_x0041_', repeat('a', 32764) || '_x0041_',
    repeat('a', 32766) || '_x0041_', repeat('a', 32767) || '_x0041_',
    repeat('_x0041_', 4681), repeat('_x0041_', 4682), repeat('_x0041_', 5000),
    repeat('a', 32766) || chr(1), repeat('a', 32767) || chr(1),
    repeat('a', 32766) || E'\r\n', repeat('a', 32765) || E'\r\nb', repeat('a', 32766) || E'\r\nb',
    repeat('a', 32767) || E'\r', repeat('a', 32767) || E'\r\n', repeat('a', 32766) || E'\r\r\n',
    repeat('a', 32766) || '  ', repeat('a', 32767) || '   ', repeat(' ', 32767), repeat(' ', 32768),
    '   ' || repeat('a', 40000), repeat('a', 32766) || chr(160) || 'b', repeat('a', 32766) || E'\t\t',
    repeat('a', 32766) || U&'e\0301', repeat(U&'e\0301', 16384),
    repeat(E'\r\n', 16383), repeat(E'\r\n', 16385), repeat(E'\r\n', 32767), repeat(E'\r\n', 32768),
    repeat(E'ab\r\n', 9000), repeat(E'ab\r\n', 10922), repeat(E'ab\r\n', 10923), repeat(E'ab\r\n', 50000),
    repeat(E'\r', 32767), repeat(E'\r', 32768), repeat(E'\r\r\n', 16383), repeat(E'\r\r\n', 16384),
    repeat(']]>', 11000), repeat('"', 32767), repeat('=', 32767), repeat(',', 32768)])
    WITH ORDINALITY AS t (value, number)
ORDER BY number;

-- The index of e-mail addresses accepts texts that compress to about 2,700 bytes.
SELECT pg_temp.add(
    CASE place WHEN 1 THEN value ELSE 'Long ' || number END,
    CASE place WHEN 2 THEN value ELSE number || '@long.example' END,
    CASE place WHEN 3 THEN value END)
FROM nasty_long CROSS JOIN LATERAL (
    SELECT CASE WHEN octet_length(value) > 100000 THEN 1 + number % 2 * 2 ELSE 1 + number % 3 END AS place) p
ORDER BY number;

-- A megabyte and more for a cell.

SELECT pg_temp.add(repeat('a', 1048576), 'a@b.example', repeat('😀', 262144));
SELECT pg_temp.add(repeat('😀', 1048576), 'a@b.example', repeat(E'\r\n', 524288));
SELECT pg_temp.add(repeat('é', 1048576), 'a@b.example', repeat('日', 1048576));
SELECT pg_temp.add(repeat(chr(1), 1048576), 'a@b.example', repeat('_x0041_', 150000));
SELECT pg_temp.add(repeat(' ', 1048576), 'a@b.example', repeat('&', 1048576));

-- Days as the tenant sees them: midnight on both sides of both changes of New York's clocks in 2025, in microseconds;
-- the leap day; the ends of Excel's calendar and the 1900-02-29 that only Excel knows; before Christ; beyond four
-- digits; no end.

INSERT INTO directory.administrator (tenant_id, name, email, profile_id, status, created_at, updated_at)
SELECT tenant_id, 'Days ' || number, 'a@b.example', profiles[1],
    CASE WHEN number % 2 = 0 THEN 'disabled' ELSE 'enabled' END, created, updated
FROM nasty_choice,
    unnest(
        ARRAY[
            '2025-03-09 04:59:59+00', '2025-03-09 04:59:59.999999+00', '2025-03-09 06:59:59+00',
            '2025-03-10 03:59:59+00', '2025-03-10 03:59:59.999999+00', '2025-03-10 04:59:59+00',
            '2025-11-02 03:59:59+00', '2025-11-02 05:59:59+00', '2025-11-03 03:59:59+00',
            '2025-11-03 04:59:59+00', '2025-11-03 04:59:59.999999+00', '2025-01-01 04:59:59+00',
            '2024-02-29 04:59:59+00', '2024-03-01 04:59:59+00', '1900-02-28 17:00:00+00',
            '1900-03-01 04:59:59+00', '1899-12-30 17:00:00+00', '1900-01-01 17:00:00+00',
            '1904-01-01 17:00:00+00', '1883-11-18 16:59:59+00', '0001-01-01 17:00:00+00',
            '0001-12-31 17:00:00+00 BC', '0002-01-01 17:00:00+00 BC', '0044-03-15 17:00:00+00 BC',
            '4713-12-31 17:00:00+00 BC', '0999-12-31 17:00:00+00', '1582-10-04 17:00:00+00',
            '9999-12-30 17:00:00+00', '10000-01-01 04:59:59+00', '10000-02-29 17:00:00+00',
            '100000-01-01 17:00:00+00', 'infinity', '-infinity', '1969-12-31 17:00:00+00',
            '2000-02-29 17:00:00+00', '2100-03-01 17:00:00+00']::timestamptz[],
        ARRAY[
            '2025-03-09 05:00:00+00', '2025-03-09 05:00:00.000001+00', '2025-03-09 07:00:00+00',
            '2025-03-10 04:00:00+00', '2025-03-10 04:00:00.000001+00', '2025-03-10 05:00:00+00',
            '2025-11-02 04:00:00+00', '2025-11-02 06:00:00+00', '2025-11-03 04:00:00+00',
            '2025-11-03 05:00:00+00', '2025-11-03 05:00:00.000001+00', '2025-01-01 05:00:00+00',
            '2024-02-29 05:00:00+00', '2024-03-01 05:00:00+00', '1900-03-01 17:00:00+00',
            '1900-03-01 05:00:00+00', '1899-12-31 17:00:00+00', '1900-01-02 17:00:00+00',
            '1904-01-02 17:00:00+00', '1883-11-18 17:00:00+00', '0001-01-01 04:00:00+00',
            '0001-02-29 17:00:00+00 BC', '0002-12-31 17:00:00+00 BC', '4713-01-01 17:00:00+00 BC',
            '4714-12-31 17:00:00+00 BC', '1000-01-01 17:00:00+00', '1582-10-10 17:00:00+00',
            '9999-12-31 17:00:00+00', '10000-01-01 05:00:00+00', '12345-06-07 17:00:00+00',
            '294276-12-31 17:00:00+00', '-infinity', 'infinity', '1970-01-01 17:00:00+00',
            '2100-02-28 17:00:00+00', '2038-01-19 03:14:08+00']::timestamptz[])
        WITH ORDINALITY AS d (created, updated, number)
ORDER BY number;

-- Groups and teams: none, one, two hundred, many, all (a list longer than a cell), each name once on its own, and a
-- choice of twelve for every one of those who differ in everything, so that the lists differ as well.

INSERT INTO directory.team (tenant_id, name)
SELECT tenant_id, 'Team ' || i FROM nasty, generate_series(1, 200) AS i ORDER BY i;
INSERT INTO directory.administrator_group (tenant_id, name, parent_id)
SELECT g.tenant_id, 'Site ' || i || repeat(', and so on', 20), g.id
FROM nasty JOIN directory.administrator_group g USING (tenant_id), generate_series(1, 200) AS i
WHERE g.name = 'Plain' AND g.parent_id IS NULL
ORDER BY i;

SELECT pg_temp.add('Links: ' || name, 'a@b.example', NULL)
FROM unnest(ARRAY['none', 'one', '200', 'many', 'all']) WITH ORDINALITY AS n (name, number)
ORDER BY number;
SELECT pg_temp.add('Single ' || k, 'a@b.example', NULL, k)
FROM nasty_choice, generate_series(1, cardinality(profiles)) AS k
ORDER BY k;

CREATE TEMPORARY TABLE nasty_person ON COMMIT DROP AS
SELECT a.id, a.name, substring(a.name FROM '^Single (\d+)$')::int AS single,
    substring(a.name FROM '^Name (\d+)$')::int AS bits
FROM nasty JOIN directory.administrator a USING (tenant_id);

INSERT INTO directory.administrator_secondary_group (administrator_id, group_id)
SELECT p.id, g.id
FROM nasty_person p, nasty JOIN directory.administrator_group g USING (tenant_id)
WHERE p.name = 'Links: one' AND g.name = 'Comma, Inc.' AND g.parent_id IS NULL
    OR p.name = 'Links: 200' AND g.name LIKE 'Site %'
    OR p.name = 'Links: many' AND g.name NOT LIKE 'Site %' AND g.name NOT LIKE 'Generation %'
    OR p.name = 'Links: all'
UNION ALL
SELECT p.id, groups[single] FROM nasty_person p, nasty_choice WHERE single IS NOT NULL
UNION ALL
SELECT p.id, groups[4 * bit + 3] FROM nasty_person p, nasty_choice, generate_series(0, 11) AS bit WHERE bits >> bit & 1 = 1;

INSERT INTO directory.administrator_team (administrator_id, team_id)
SELECT p.id, t.id
FROM nasty_person p, nasty JOIN directory.team t USING (tenant_id)
WHERE p.name = 'Links: one' AND t.name = 'Say "hello"'
    OR p.name = 'Links: 200' AND t.name LIKE 'Team %'
    OR p.name = 'Links: many' AND t.name NOT LIKE 'Team %' AND length(t.name) < 2000
    OR p.name = 'Links: all'
UNION ALL
SELECT p.id, teams[single] FROM nasty_person p, nasty_choice WHERE single IS NOT NULL
UNION ALL
SELECT p.id, teams[5 * bit + 2] FROM nasty_person p, nasty_choice, generate_series(0, 11) AS bit WHERE bits >> bit & 1 = 1;

UPDATE directory.administrator a SET main_group_id = groups[single]
FROM nasty_person p, nasty_choice WHERE p.id = a.id AND single IS NOT NULL;

COMMIT;
