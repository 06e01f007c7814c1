-- Jobs, leases, tenants' slots, workers, settings and the audit trail.
-- Runs once, in one transaction, as adminexport_owner, in the schema adminexport that is there already.

CREATE TABLE adminexport.setting (
    key   text PRIMARY KEY,
    value text NOT NULL
);

-- Ties the database to the file system that holds the archives: <archives>/.store-id must say the same.
INSERT INTO adminexport.setting (key, value) VALUES
    ('store_id', gen_random_uuid()::text), ('store_is_new', 'true'), ('paused', 'false');

CREATE TABLE adminexport.worker (
    id              uuid        PRIMARY KEY,     -- new at each start of a process
    host            text        NOT NULL,
    version         text        NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    drain_requested boolean     NOT NULL DEFAULT false,
    counters        jsonb       NOT NULL DEFAULT '{}'
);

-- Columns from wide to narrow alignment, then the variable ones.
CREATE TABLE adminexport.job (
    id                  uuid        PRIMARY KEY,             -- version 7: its order is the order of creation
    worker              uuid,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_after           timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at          timestamptz,                         -- the first attempt
    deadline_at         timestamptz,                         -- of the attempt that runs
    cancel_requested_at timestamptz,
    finished_at         timestamptz,
    expires_at          timestamptz,
    revision            bigint      NOT NULL DEFAULT 1,
    rows                bigint,
    size                bigint,
    epoch               integer     NOT NULL DEFAULT 0,      -- rises on each claim, never falls: the fencing token
    archive_epoch       integer,                             -- the epoch whose file may be there
    attempt             integer     NOT NULL DEFAULT 0,
    crashes             integer     NOT NULL DEFAULT 0,
    sheets              integer,
    file_date           date,                                -- the snapshot's day in the tenant's time zone
    priority            smallint    NOT NULL DEFAULT 0,
    hold                boolean     NOT NULL DEFAULT false,
    state               text        NOT NULL DEFAULT 'queued',
    tenant_key          text        NOT NULL,                -- id::text of directory.tenant
    actor_key           text        NOT NULL,                -- id::text of directory.administrator
    tenant_slug         text        NOT NULL,                -- labels: what they were called when they asked
    actor_email         text        NOT NULL,
    options             jsonb       NOT NULL,
    warnings            jsonb       NOT NULL DEFAULT '[]',
    sha256              bytea,
    scope_digest        bytea,
    error_kind          text,
    error_message       text,
    idempotency_key     text,
    idempotency_hash    bytea,

    CONSTRAINT job_state CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired')),
    CONSTRAINT job_counts CHECK (epoch >= 0 AND attempt >= 0 AND crashes >= 0 AND revision >= 1),
    CONSTRAINT job_running CHECK ((state = 'running') = (worker IS NOT NULL) AND (state = 'running') = (deadline_at IS NOT NULL)),
    CONSTRAINT job_started CHECK (state NOT IN ('running', 'succeeded', 'expired') OR started_at IS NOT NULL AND epoch > 0),
    CONSTRAINT job_finished CHECK ((state IN ('succeeded', 'failed', 'cancelled', 'expired')) = (finished_at IS NOT NULL)),
    CONSTRAINT job_result CHECK ((state IN ('succeeded', 'expired')) =
        (rows IS NOT NULL AND sheets IS NOT NULL AND size IS NOT NULL AND sha256 IS NOT NULL
         AND file_date IS NOT NULL AND expires_at IS NOT NULL AND scope_digest IS NOT NULL)),
    CONSTRAINT job_archive CHECK (archive_epoch IS NULL OR state IN ('succeeded', 'expired') AND archive_epoch <= epoch),
    CONSTRAINT job_promise CHECK (state <> 'succeeded' OR archive_epoch = epoch),
    CONSTRAINT job_failed CHECK (state <> 'failed' OR error_kind IS NOT NULL),
    CONSTRAINT job_cancelled CHECK (state <> 'cancelled' OR cancel_requested_at IS NOT NULL),
    CONSTRAINT job_error CHECK ((error_kind IS NULL) = (error_message IS NULL)),
    CONSTRAINT job_digests CHECK (octet_length(sha256) = 32 AND octet_length(idempotency_hash) = 32),
    CONSTRAINT job_idempotency CHECK ((idempotency_key IS NULL) = (idempotency_hash IS NULL))
);

CREATE INDEX job_queued ON adminexport.job (tenant_key, priority DESC, id) WHERE state = 'queued';
CREATE INDEX job_of_actor ON adminexport.job (tenant_key, actor_key, id DESC);
CREATE INDEX job_to_expire ON adminexport.job (expires_at) WHERE state = 'succeeded' AND NOT hold;
CREATE INDEX job_to_unlink ON adminexport.job (id) WHERE state = 'expired' AND archive_epoch IS NOT NULL;
CREATE INDEX job_to_forget ON adminexport.job (finished_at) WHERE state IN ('failed', 'cancelled', 'expired');
CREATE UNIQUE INDEX job_idempotency ON adminexport.job (tenant_key, actor_key, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- One row for each running job, updated in place every half second: room in the page and no other index keep each
-- update a heap-only one.
CREATE TABLE adminexport.lease (
    job        uuid        PRIMARY KEY REFERENCES adminexport.job ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    rows_done  bigint      NOT NULL DEFAULT 0,
    rows_total bigint,
    seq        bigint      NOT NULL DEFAULT 0,
    epoch      integer     NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);

-- A tenant's row is locked by whoever starts or ends one of its jobs; that makes the cap exact.
CREATE TABLE adminexport.tenant_slot (
    tenant_key text    PRIMARY KEY,
    turn       bigint  NOT NULL DEFAULT 0,   -- when it was served last; the least is next
    running    integer NOT NULL DEFAULT 0 CHECK (running >= 0)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);

CREATE SEQUENCE adminexport.turn;

CREATE TABLE adminexport.audit_event (
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    job         uuid,
    peer_uid    bigint,
    peer_gid    bigint,
    peer_pid    bigint,
    event       text        NOT NULL CHECK (event IN ('requested', 'denied', 'started', 'finished', 'downloaded',
                                                      'cancelled', 'failed', 'expired', 'deleted', 'held')),
    tenant_slug text,
    actor_key   text,
    actor_email text,
    reason      text
) PARTITION BY RANGE (at);

CREATE INDEX audit_event_of_job ON adminexport.audit_event (job);

-- Takes what has no month's partition, so that an event is never refused.
CREATE TABLE adminexport.audit_event_default PARTITION OF adminexport.audit_event DEFAULT;

-- Makes the partitions of this month and the next. Workers call it; they own nothing, so it runs as its owner.
CREATE FUNCTION adminexport.ensure_audit_partitions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    month date;
BEGIN
    FOREACH month IN ARRAY ARRAY[date_trunc('month', now() AT TIME ZONE 'UTC')::date,
                                 (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month')::date] LOOP
        CONTINUE WHEN to_regclass(format('adminexport.audit_event_%s', to_char(month, 'YYYY_MM'))) IS NOT NULL;
        BEGIN
            EXECUTE format(
                'CREATE TABLE adminexport.audit_event_%s PARTITION OF adminexport.audit_event FOR VALUES FROM (%L) TO (%L)',
                to_char(month, 'YYYY_MM'), month::text || ' 00:00+00', (month + interval '1 month')::date::text || ' 00:00+00');
        EXCEPTION
            WHEN duplicate_table THEN NULL;   -- another worker was first
            WHEN check_violation THEN NULL;   -- the default partition has events of that month already, and keeps them
        END;
    END LOOP;
END
$body$;
REVOKE ALL ON FUNCTION adminexport.ensure_audit_partitions() FROM PUBLIC;
SELECT adminexport.ensure_audit_partitions();

-- Grants: what each role's statements need and no more. Nobody but the owner may change an audit event.
GRANT USAGE ON SCHEMA adminexport TO adminexport_api, adminexport_worker;
GRANT SELECT ON adminexport.schema_migration, adminexport.setting TO adminexport_api, adminexport_worker;

GRANT SELECT, INSERT ON adminexport.job TO adminexport_api;
GRANT UPDATE (state, cancel_requested_at, finished_at, expires_at, revision, hold) ON adminexport.job TO adminexport_api;
GRANT SELECT ON adminexport.lease, adminexport.worker TO adminexport_api;
GRANT UPDATE (drain_requested) ON adminexport.worker TO adminexport_api;
GRANT SELECT, INSERT ON adminexport.tenant_slot TO adminexport_api;
GRANT UPDATE (turn) ON adminexport.tenant_slot TO adminexport_api;   -- FOR UPDATE asks for it
GRANT UPDATE (value) ON adminexport.setting TO adminexport_api;
GRANT SELECT, INSERT ON adminexport.audit_event TO adminexport_api;

GRANT SELECT, UPDATE, DELETE ON adminexport.job TO adminexport_worker;
GRANT UPDATE (value) ON adminexport.setting TO adminexport_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON adminexport.lease, adminexport.worker TO adminexport_worker;
GRANT SELECT, UPDATE ON adminexport.tenant_slot TO adminexport_worker;
GRANT USAGE ON SEQUENCE adminexport.turn TO adminexport_worker;
GRANT INSERT ON adminexport.audit_event TO adminexport_worker;
GRANT EXECUTE ON FUNCTION adminexport.ensure_audit_partitions() TO adminexport_worker;
