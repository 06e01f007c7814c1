-- Which tenant an audit event is about, by its key; when the attempt that runs was started; and a row's leave to give up its
-- idempotency key.
-- Runs once, in one transaction, as adminexport_owner. Programs of version 3 go on working beside it: what they do not write is
-- filled by the triggers, which a later version drops together with its leave for those programs.
--
-- What takes long comes before the tables are locked for everybody, or after this transaction: see Migrator.finish.

-- A tenant's jobs, newest first, for operators: the index by actor has them apart for each actor.
CREATE INDEX job_of_tenant ON adminexport.job (tenant_key, id DESC);

-- VOLATILE, so that it sees a job that the same statement inserts.
CREATE FUNCTION adminexport.audit_event_tenant_key() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    NEW.tenant_key := (SELECT j.tenant_key FROM adminexport.job j WHERE j.id = NEW.job);
    RETURN NEW;
END
$body$;

-- Events that are there already get their key from the job's row in small transactions after this one: how far that has come.
-- The row is not there when nothing is left to do. Events whose job has been forgotten stay without.
INSERT INTO adminexport.setting (key, value)
    SELECT 'audit_tenant_key_after', '00000000-0000-0000-0000-000000000000' WHERE EXISTS (SELECT FROM adminexport.job);

-- The start of the attempt that runs, or ran last. Null in rows whose last attempt was started before this version.
ALTER TABLE adminexport.job ADD COLUMN attempt_started_at timestamptz;

CREATE FUNCTION adminexport.job_attempt_started_at() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    NEW.attempt_started_at := clock_timestamp();
    RETURN NEW;
END
$body$;
-- A claim is the only statement that raises the epoch.
CREATE TRIGGER job_attempt_started_at BEFORE UPDATE OF epoch ON adminexport.job
    FOR EACH ROW WHEN (NEW.epoch > OLD.epoch AND NEW.attempt_started_at IS NOT DISTINCT FROM OLD.attempt_started_at)
    EXECUTE FUNCTION adminexport.job_attempt_started_at();

GRANT UPDATE (idempotency_key, idempotency_hash) ON adminexport.job TO adminexport_api;

-- Last, and without a look at the rows: nobody reads or writes the trail from here to the commit.
ALTER TABLE adminexport.audit_event
    ADD COLUMN tenant_key text,                              -- id::text of directory.tenant; null where it is not known
    DROP CONSTRAINT audit_event_event_check,
    ADD CONSTRAINT audit_event_event_check CHECK (event IN (
        'requested', 'denied', 'started', 'finished', 'downloaded', 'undelivered', 'cancelled', 'failed', 'expired', 'deleted',
        'held', 'paused', 'resumed', 'drained')) NOT VALID;

CREATE TRIGGER audit_event_tenant_key BEFORE INSERT ON adminexport.audit_event
    FOR EACH ROW WHEN (NEW.tenant_key IS NULL AND NEW.job IS NOT NULL)
    EXECUTE FUNCTION adminexport.audit_event_tenant_key();
