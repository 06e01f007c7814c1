-- Claims whose cost does not grow: which tenants are ready, in the order of their turns, as an index.
-- Runs once, in one transaction, as adminexport_owner. Programs of version 4 go on working beside it: what they do not write is
-- filled by the triggers. Indexes of lists follow after this transaction: see Migrator.finish.

-- A job that waits for its time is not in the part of the index that claims read. A worker moves it there when it is due.
ALTER TABLE adminexport.job ADD COLUMN delayed boolean NOT NULL DEFAULT false;

-- ready: the tenant may have a job that can be claimed. If it has one, it is ready; the opposite need not hold.
-- place: where the tenant stands among those that are ready. The least is next; of equal ones, the least turn.
-- head:  no job of a ready tenant that can be claimed has a lower id. Claims do not read the dead index entries before it.
ALTER TABLE adminexport.tenant_slot
    ADD COLUMN ready boolean NOT NULL DEFAULT false,
    ADD COLUMN place bigint  NOT NULL DEFAULT 0,
    ADD COLUMN head  uuid    NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
CREATE INDEX tenant_slot_ready ON adminexport.tenant_slot (running, place, turn, tenant_key) WHERE ready;

-- Tenants that were never served come before all others, in the order of their slots: each has a place of its own.
ALTER TABLE adminexport.tenant_slot ALTER COLUMN turn SET DEFAULT nextval('adminexport.turn') - 4611686018427387904;
UPDATE adminexport.tenant_slot SET turn = DEFAULT WHERE turn = 0;

-- No tenant that can be served has a lower place. Claims begin to read there, because the snapshot of a long transaction keeps any
-- number of dead index entries before it. A sequence, because it changes in place and at once.
CREATE SEQUENCE adminexport.first_place MINVALUE -9223372036854775808 START -9223372036854775808;

-- Whenever a tenant may come back to those that can be served, it gets a place behind the bound: it was served, it becomes ready, or
-- one of its jobs ends. The advisory lock keeps the bound where it is until the commit. A tenant that was just served needs no
-- lock, because the bound stays behind the turns that were given last.
CREATE FUNCTION adminexport.tenant_slot_place() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF NEW.turn = OLD.turn THEN
        PERFORM pg_advisory_xact_lock_shared(1094995289, 0);
    END IF;
    NEW.place := greatest(NEW.turn, (SELECT last_value FROM adminexport.first_place));
    RETURN NEW;
END
$body$;
CREATE TRIGGER tenant_slot_place BEFORE UPDATE ON adminexport.tenant_slot
    FOR EACH ROW WHEN (NEW.turn <> OLD.turn OR NEW.ready AND (NOT OLD.ready OR NEW.running < OLD.running))
    EXECUTE FUNCTION adminexport.tenant_slot_place();

-- Moves the bound up to just before the first tenant that can be served. Waits only briefly for transactions that give places, because
-- others that give places wait behind it. Gives up then: a later call does it.
CREATE FUNCTION adminexport.raise_first_place(tenant_limit integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = 20 AS $body$
DECLARE
    bound  bigint;
    lowest bigint;
    slot   record;
    level  integer := -1;
BEGIN
    PERFORM pg_advisory_xact_lock(1094995289, 0);
    SELECT last_value INTO bound FROM adminexport.first_place;
    SELECT last_value - 64 INTO lowest FROM adminexport.turn;
    LOOP
        SELECT s.running, s.place INTO slot FROM adminexport.tenant_slot s
            WHERE s.ready AND s.running > level AND s.running < tenant_limit AND s.place >= bound AND s.place <= lowest
            ORDER BY s.running, s.place, s.turn, s.tenant_key LIMIT 1;
        EXIT WHEN NOT FOUND;
        lowest := slot.place - 1;
        level := slot.running;
    END LOOP;
    IF lowest > bound THEN
        PERFORM setval('adminexport.first_place', lowest);
    END IF;
EXCEPTION WHEN lock_not_available THEN NULL;
END
$body$;
REVOKE ALL ON FUNCTION adminexport.raise_first_place(integer) FROM PUBLIC;

CREATE FUNCTION adminexport.job_delayed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    NEW.delayed := NEW.run_after > clock_timestamp();
    RETURN NEW;
END
$body$;
CREATE TRIGGER job_delayed BEFORE INSERT OR UPDATE OF run_after ON adminexport.job
    FOR EACH ROW WHEN (NEW.state = 'queued' AND NEW.delayed <> (NEW.run_after > clock_timestamp()))
    EXECUTE FUNCTION adminexport.job_delayed();

-- With its owner's rights, because callers may not change slots. Does nothing, and waits for nobody, if the tenant is ready
-- already. A start holds the tenant's advisory lock, and everything else that makes a job claimable holds the slot's row:
-- whoever takes `ready` away holds both, so this statement sees what it left.
CREATE FUNCTION adminexport.job_ready() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    UPDATE adminexport.tenant_slot s
    SET ready = true, head = CASE WHEN s.ready THEN least(s.head, NEW.id) ELSE NEW.id END
    WHERE s.tenant_key = NEW.tenant_key AND (NOT s.ready OR s.head > NEW.id);
    RETURN NULL;
END
$body$;
CREATE TRIGGER job_ready AFTER INSERT OR UPDATE OF state, delayed, run_after ON adminexport.job
    FOR EACH ROW WHEN (NEW.state = 'queued' AND NOT NEW.delayed)
    EXECUTE FUNCTION adminexport.job_ready();

-- Takes `ready` from those of the tenants that have no job to claim, and moves the head of the others forward. It changes a slot only
-- under both locks, and skips a tenant of which anybody else holds one. Each statement of the loop has a snapshot of its own, so under
-- the locks it sees every start and every end that committed before.
CREATE FUNCTION adminexport.settle_tenants(tenants text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    tenant   text;
    slot     adminexport.tenant_slot;
    earliest record;
    latest   record;
BEGIN
    FOR tenant IN SELECT DISTINCT t FROM unnest(tenants) t ORDER BY t LOOP
        FOR is_locked IN 0..1 LOOP   -- first a look whether there is anything to do
            IF is_locked = 0 THEN
                SELECT * INTO slot FROM adminexport.tenant_slot s WHERE s.tenant_key = tenant AND s.ready;
            ELSE
                EXIT WHEN NOT pg_try_advisory_xact_lock(1094995288, hashtext(tenant));   -- JobStore.startLockClass
                SELECT * INTO slot FROM adminexport.tenant_slot s WHERE s.tenant_key = tenant AND s.ready FOR UPDATE SKIP LOCKED;
            END IF;
            EXIT WHEN NOT FOUND;
            SELECT id, priority INTO earliest FROM adminexport.job
                WHERE tenant_key = tenant AND state = 'queued' AND NOT delayed AND id >= slot.head
                ORDER BY priority DESC, id LIMIT 1;
            SELECT priority INTO latest FROM adminexport.job
                WHERE tenant_key = tenant AND state = 'queued' AND NOT delayed AND id >= slot.head
                ORDER BY priority, id DESC LIMIT 1;
            -- With several priorities, the first job need not have the lowest id.
            EXIT WHEN earliest.id = slot.head OR earliest.priority <> latest.priority;
            IF is_locked = 1 THEN
                UPDATE adminexport.tenant_slot s SET ready = earliest.id IS NOT NULL, head = coalesce(earliest.id, s.head)
                WHERE s.tenant_key = tenant;
            END IF;
        END LOOP;
    END LOOP;
END
$body$;
REVOKE ALL ON FUNCTION adminexport.settle_tenants(text[]), adminexport.tenant_slot_place(), adminexport.job_delayed(),
    adminexport.job_ready() FROM PUBLIC;

-- In place of job_queued: what it served, this index serves as well.
CREATE INDEX job_waiting ON adminexport.job (tenant_key, delayed, priority DESC, id) WHERE state = 'queued';
DROP INDEX adminexport.job_queued;
CREATE INDEX job_delayed ON adminexport.job (run_after) WHERE state = 'queued' AND delayed;

-- Since the first change of the table nobody starts or ends a job until the commit, so what is there is all there is.
-- The update would be a heap-only one without an index on the column, and the index could not be used while older snapshots last.
UPDATE adminexport.job SET delayed = true WHERE state = 'queued' AND run_after > clock_timestamp();
UPDATE adminexport.tenant_slot s SET ready = true
    WHERE EXISTS (SELECT FROM adminexport.job j WHERE j.tenant_key = s.tenant_key AND j.state = 'queued' AND NOT j.delayed);

-- The advisory lock that the worker's session holds while it lives, the start of the server on which it holds it, when that was
-- recorded, and the duration of the worker's leases.
ALTER TABLE adminexport.job ADD COLUMN losses integer NOT NULL DEFAULT 0;   -- workers whose session ended while they ran it
ALTER TABLE adminexport.worker
    ADD COLUMN proof_lock   bigint,
    ADD COLUMN proof_server timestamptz,
    ADD COLUMN proof_at     timestamptz,
    ADD COLUMN proof_lease  interval;

GRANT SELECT, UPDATE ON SEQUENCE adminexport.first_place TO adminexport_worker;
GRANT SELECT ON SEQUENCE adminexport.turn TO adminexport_worker;
GRANT USAGE ON SEQUENCE adminexport.turn TO adminexport_api;   -- for a new slot
GRANT EXECUTE ON FUNCTION adminexport.settle_tenants(text[]) TO adminexport_worker;
GRANT EXECUTE ON FUNCTION adminexport.raise_first_place(integer) TO adminexport_worker;
