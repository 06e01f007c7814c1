-- Receipts of workbooks, the id of the installation that they name, and the audit event for a fetched receipt.
-- Runs once, in one transaction, as adminexport_owner. Programs of version 6 go on working beside it: the workbooks that they make have no
-- receipt.
INSERT INTO adminexport.setting (key, value) VALUES ('installation_id', gen_random_uuid()::text);

-- The DSSE envelope as JSON, which is ASCII. The row keeps it until the row itself is removed.
ALTER TABLE adminexport.job ADD COLUMN receipt text;

-- Without a look at the rows: nobody reads or writes the trail from here to the commit.
ALTER TABLE adminexport.audit_event
    DROP CONSTRAINT audit_event_event_check,
    ADD CONSTRAINT audit_event_event_check CHECK (event IN (
        'requested', 'denied', 'started', 'finished', 'downloaded', 'undelivered', 'cancelled', 'failed', 'expired', 'deleted',
        'held', 'paused', 'resumed', 'drained', 'receipt-fetched')) NOT VALID;
