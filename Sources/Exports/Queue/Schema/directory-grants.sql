-- What the service may read. The columns are listed: a query for a password or a token fails in the database.
GRANT USAGE ON SCHEMA directory TO adminexport_api, adminexport_worker;

GRANT SELECT (id, slug, name, time_zone) ON directory.tenant TO adminexport_api, adminexport_worker;
GRANT SELECT (id, tenant_id, name, permissions, scope) ON directory.profile TO adminexport_api, adminexport_worker;

GRANT SELECT (id, tenant_id, email, status, profile_id, main_group_id) ON directory.administrator TO adminexport_api;
GRANT SELECT (administrator_id, group_id) ON directory.administrator_secondary_group TO adminexport_api;

GRANT SELECT (id, tenant_id, name, email, phone, profile_id, main_group_id, status, created_at, updated_at)
    ON directory.administrator TO adminexport_worker;
GRANT SELECT (id, tenant_id, name, parent_id) ON directory.administrator_group TO adminexport_worker;
GRANT SELECT (id, tenant_id, name) ON directory.team TO adminexport_worker;
GRANT SELECT (administrator_id, group_id) ON directory.administrator_secondary_group TO adminexport_worker;
GRANT SELECT (administrator_id, team_id) ON directory.administrator_team TO adminexport_worker;
