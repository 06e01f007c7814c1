"""What a claim, a start and a page of a list cost with the length of the history."""
import contextlib
import time

from .caller import Line
from .environment import filled, psql, service
from .growth import QUEUE, TENANTS, claim_costs
from .plans import Log, explained
from .table import median

LENGTHS = (10_000, 100_000, 1_000_000)
TENANT_COUNT = 20
REQUESTS = 40

# Finished jobs of 300 days and three events of each, as the triggers and workers leave them; without the triggers, to save
# time. The files are already removed, and no row is old enough to be deleted.
HISTORY = """
SET session_replication_role = replica;
DO $do$ BEGIN
    FOR month IN 1..11 LOOP
        EXECUTE format(
            'CREATE TABLE adminexport.audit_event_before_%s PARTITION OF adminexport.audit_event FOR VALUES FROM (%L) TO (%L)',
            month, date_trunc('month', now() AT TIME ZONE 'UTC') - month * interval '1 month',
            date_trunc('month', now() AT TIME ZONE 'UTC') - (month - 1) * interval '1 month');
    END LOOP;
END $do$;
CREATE TEMPORARY TABLE history AS
SELECT at, t.id::text AS tenant_key, t.slug AS tenant_slug, a.id::text AS actor_key, a.email AS actor_email,
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
        || substr(md5(n::text), 4, 15))::uuid AS id
FROM (
    SELECT n, now() - interval '300 d' * (1 - n::float8 / {length}) - interval '1 h' AS at FROM generate_series(1, {length}) n
) numbers
JOIN (
    SELECT row_number() OVER (ORDER BY id) - 1 AS place, * FROM directory.tenant WHERE slug LIKE 'w%'
) t ON t.place = n % {tenants}
JOIN directory.administrator a ON a.tenant_id = t.id;
INSERT INTO adminexport.job (id, tenant_key, actor_key, tenant_slug, actor_email, options, state, epoch, attempt, created_at,
    run_after, started_at, attempt_started_at, finished_at, rows, sheets, size, sha256, file_date, expires_at, scope_digest)
SELECT id, tenant_key, actor_key, tenant_slug, actor_email, '{{"includeDisabled": false, "includeReferences": false}}',
    'expired', 1, 1, at, at, at, at, at + interval '1 s', 100, 1, 9000, sha256('x'), at::date, at + interval '7 d', sha256('y')
FROM history ORDER BY history.at;
INSERT INTO adminexport.audit_event
    (at, job, event, tenant_key, tenant_slug, actor_key, actor_email, peer_uid, peer_gid, peer_pid)
SELECT at + step * interval '0.3 s', id, (ARRAY['requested', 'started', 'finished'])[1 + step], tenant_key, tenant_slug,
    actor_key, actor_email, 1000, 1000, 1000
FROM history, generate_series(0, 2) step ORDER BY 1;
"""


@contextlib.contextmanager
def with_history(length):
    database = f"bench_history_{length}"
    with filled(database, 0, tenants=()) as url:
        psql(database, TENANTS.format(tenants=TENANT_COUNT))
        psql(database, HISTORY.format(length=length, tenants=TENANT_COUNT))
        # In a session of its own: VACUUM takes no transaction.
        psql(database, "VACUUM ANALYZE")
        psql(database, "CHECKPOINT")
        yield database, url


def start(line, number):
    actor = {"tenant": f"w{1 + number % TENANT_COUNT}", "administrator": "a@example.com"}
    return line.ask("export.start", actor=actor)["result"]


def list_jobs(line, number):
    found = line.ask("export.list", tenant=f"w{1 + number % TENANT_COUNT}", limit=100)["result"]
    assert len(found["jobs"]) == 100
    return found


def list_events(line, number):
    found = line.ask("audit.list", tenant=f"w{1 + number % TENANT_COUNT}", limit=100)["result"]
    assert len(found["events"]) == 100
    return found


KINDS = {"export.start": start, "export.list": list_jobs, "audit.list": list_events}
# The service makes no exports, so that only the requests read pages.
SETTINGS = {"ADMINEXPORT_WORKERS": "0", "ADMINEXPORT_LIMITS_QUEUED_PER_TENANT": "10000"}


def measure(table, rounds):
    table.section(f"The length of the history, {TENANT_COUNT} tenants (medians of {rounds})")
    grid = []
    for length in LENGTHS:
        pages, ms = ({kind: [] for kind in ("claim", *KINDS)} for _ in range(2))
        with with_history(length) as (database, url):
            for _ in range(rounds):
                with service(database, url, **SETTINGS) as (_, socket):
                    for kind, ask in KINDS.items():
                        ms[kind] += latencies(socket, ask)
                with explained(database), service(database, url, **SETTINGS) as (_, socket):
                    for kind, ask in KINDS.items():
                        pages[kind].append(pages_of(socket, ask))
                psql(database, QUEUE.format(each=2))
                psql(database, "VACUUM ANALYZE")
                costs = claim_costs(database, url)
                pages["claim"].append(median([cost[0] for cost in costs]))
                ms["claim"].append(median([cost[1] for cost in costs]))
        row = [length]
        for kind in pages:
            table.line(f"{kind}, {length:,} finished jobs", median(pages[kind]), "pages",
                       ("<=", 40) if kind == "claim" else None, ms=median(ms[kind]))
            row += [median(pages[kind]), median(ms[kind])]
        grid.append(row)
    table.grid("The same work with a longer history", [
        "finished jobs", *(f"{kind}, {unit}" for kind in pages for unit in ("pages", "ms"))], grid)


def latencies(socket, ask):
    """The milliseconds of requests, one at a time."""
    line, found = Line(str(socket)), []
    for number in range(-10, REQUESTS):
        begin = time.monotonic()
        ask(line, number)
        if number >= 0:
            found.append((time.monotonic() - begin) * 1_000)
    return found


def pages_of(socket, ask):
    """The pages that all statements of a request read."""
    line = Line(str(socket))
    # The first requests read the catalog, and PostgreSQL plans statements for their parameters.
    for number in range(TENANT_COUNT):
        ask(line, number)
    log = Log()
    for number in range(REQUESTS):
        ask(line, number)
    return sum(pages for _, pages, _ in log.statements()) / REQUESTS
