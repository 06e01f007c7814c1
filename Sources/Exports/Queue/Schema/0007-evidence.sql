-- Receipts of workbooks, checkpoints of the audit trail, the id of the installation that both name, and reasons of legal holds.
-- Runs once, in one transaction, as adminexport_owner. Programs of version 6 go on working beside it: the workbooks that they make have no
-- receipt, and they make no checkpoints.
INSERT INTO adminexport.setting (key, value) VALUES ('installation_id', gen_random_uuid()::text);

-- The DSSE envelope as JSON, which is ASCII. The row keeps it until the row itself is removed.
ALTER TABLE adminexport.job ADD COLUMN receipt text;

-- Who holds a workbook, since when, why and until when. Null without a hold, and for holds of earlier versions.
ALTER TABLE adminexport.job
    ADD COLUMN hold_since  timestamptz,
    ADD COLUMN hold_uid    bigint,
    ADD COLUMN hold_reason text,
    ADD COLUMN hold_until  timestamptz;
GRANT UPDATE (hold_since, hold_uid, hold_reason, hold_until) ON adminexport.job TO adminexport_api;

-- Programs of version 6 begin and end holds without these columns: the next hold must not inherit the end of an older one.
CREATE FUNCTION adminexport.job_hold_facts() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    NEW.hold_since := NULL;
    NEW.hold_uid := NULL;
    NEW.hold_reason := NULL;
    NEW.hold_until := NULL;
    RETURN NEW;
END
$body$;
CREATE TRIGGER job_hold_facts BEFORE UPDATE OF hold ON adminexport.job
    FOR EACH ROW WHEN (OLD.hold IS DISTINCT FROM NEW.hold
        AND (NOT NEW.hold OR NEW.hold_since IS NOT DISTINCT FROM OLD.hold_since))
    EXECUTE FUNCTION adminexport.job_hold_facts();

-- Signed statements about the audit trail. They are never removed; each one covers the events from the end of the one before.
CREATE TABLE adminexport.audit_checkpoint (
    number   bigint      PRIMARY KEY CHECK (number > 0),
    made_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    envelope text        NOT NULL   -- DSSE, as JSON
);
GRANT SELECT, INSERT ON adminexport.audit_checkpoint TO adminexport_worker;
-- What the owner wants to remove. Only the owner writes it; a worker signs a request that is some minutes old at most.
CREATE TABLE adminexport.audit_prune (
    before       date        PRIMARY KEY,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    login        text        NOT NULL DEFAULT session_user
);
GRANT SELECT ON adminexport.audit_prune TO adminexport_worker;
GRANT SELECT ON adminexport.audit_checkpoint TO adminexport_api;
-- Workers compute the digests of the events.
GRANT SELECT ON adminexport.audit_event TO adminexport_worker;

-- Without a look at the rows: nobody reads or writes the trail from here to the commit.
ALTER TABLE adminexport.audit_event
    DROP CONSTRAINT audit_event_event_check,
    ADD CONSTRAINT audit_event_event_check CHECK (event IN (
        'requested', 'denied', 'started', 'finished', 'downloaded', 'undelivered', 'cancelled', 'failed', 'expired', 'deleted',
        'held', 'paused', 'resumed', 'drained', 'receipt-fetched', 'pruned')) NOT VALID;
