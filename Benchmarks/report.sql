-- The report that the export is measured against: the same ten columns, the same filter, one statement, as an experienced
-- user of psql would write it. Takes the tenant's id from the psql variable `tenant`.
SELECT a.name AS "Name", a.email AS "Email", a.phone AS "Phone", p.name AS "Profile", g.name AS "Main group",
    s.names AS "Secondary groups", t.names AS "Teams",
    (a.created_at AT TIME ZONE n.time_zone)::date AS "Creation date",
    (a.updated_at AT TIME ZONE n.time_zone)::date AS "Last update", initcap(a.status) AS "Status"
FROM directory.administrator a
JOIN directory.tenant n ON n.id = a.tenant_id
LEFT JOIN directory.profile p ON p.id = a.profile_id
LEFT JOIN directory.administrator_group g ON g.id = a.main_group_id
LEFT JOIN (
    SELECT l.administrator_id, string_agg(g.name, ', ' ORDER BY g.name COLLATE "C") AS names
    FROM directory.administrator_secondary_group l JOIN directory.administrator_group g ON g.id = l.group_id
    GROUP BY l.administrator_id
) s ON s.administrator_id = a.id
LEFT JOIN (
    SELECT l.administrator_id, string_agg(t.name, ', ' ORDER BY t.name COLLATE "C") AS names
    FROM directory.administrator_team l JOIN directory.team t ON t.id = l.team_id
    GROUP BY l.administrator_id
) t ON t.administrator_id = a.id
WHERE a.tenant_id = :tenant AND a.status = 'enabled'
ORDER BY a.id
