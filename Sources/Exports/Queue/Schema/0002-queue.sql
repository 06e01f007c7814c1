-- What the queue needs to find silent and hung workers fast, and what the audit trail tells besides.
-- Runs once, in one transaction, as adminexport_owner. Programs of version 1 go on working beside it: they name the columns
-- that they insert, and the defaults fill the rest.

-- Running jobs by deadline: for the sweep, and to find one that has lost its lease's row.
CREATE INDEX job_running ON adminexport.job (deadline_at) WHERE state = 'running';

-- Jobs that wait for another attempt: when an idle worker has to look again.
CREATE INDEX job_retrying ON adminexport.job (run_after) WHERE state = 'queued' AND attempt > 0;

-- With years of history a fifth of the table would be a lot of dead rows to wait for.
ALTER TABLE adminexport.job SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
                                 autovacuum_analyze_scale_factor = 0.02, autovacuum_analyze_threshold = 500);

ALTER TABLE adminexport.worker
    ADD COLUMN slots   integer NOT NULL DEFAULT 1,
    ADD COLUMN storage text    NOT NULL DEFAULT 'ok'
        CONSTRAINT worker_storage CHECK (storage IN ('ok', 'full', 'failed', 'wrong-store'));

-- Tells apart events of the same moment, so that a list can be read page by page.
CREATE SEQUENCE adminexport.audit_event_id;
ALTER TABLE adminexport.audit_event
    ADD COLUMN details jsonb  NOT NULL DEFAULT '{}',
    ADD COLUMN id      bigint NOT NULL DEFAULT nextval('adminexport.audit_event_id'),
    DROP CONSTRAINT audit_event_event_check,
    ADD CONSTRAINT audit_event_event_check CHECK (event IN (
        'requested', 'denied', 'started', 'finished', 'downloaded', 'cancelled', 'failed', 'expired', 'deleted', 'held',
        'paused', 'resumed', 'drained'));
CREATE INDEX audit_event_at ON adminexport.audit_event (at, id);
-- To put right what a hand in the tables has spoiled.
GRANT INSERT ON adminexport.tenant_slot TO adminexport_worker;

GRANT USAGE ON SEQUENCE adminexport.audit_event_id TO adminexport_api, adminexport_worker;
