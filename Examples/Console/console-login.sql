-- Creates the console's login. It may read the columns of the page of accounts and nothing else: no password, no token, no export.
-- Run this as the owner of the directory or as a superuser, in the database with the schema "directory".
DO $$
BEGIN
    CREATE ROLE adminexport_console LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    -- Roles belong to the cluster: the role exists already.
    NULL;
END $$;

GRANT USAGE ON SCHEMA directory TO adminexport_console;
GRANT SELECT (id, slug, name, time_zone) ON directory.tenant TO adminexport_console;
GRANT SELECT (id, tenant_id, name, permissions, scope) ON directory.profile TO adminexport_console;
GRANT SELECT (id, tenant_id, name, parent_id) ON directory.administrator_group TO adminexport_console;
GRANT SELECT (id, tenant_id, name) ON directory.team TO adminexport_console;
GRANT SELECT (id, tenant_id, name, email, phone, profile_id, main_group_id, status, created_at, updated_at)
    ON directory.administrator TO adminexport_console;
GRANT SELECT (administrator_id, group_id) ON directory.administrator_secondary_group TO adminexport_console;
GRANT SELECT (administrator_id, team_id) ON directory.administrator_team TO adminexport_console;
