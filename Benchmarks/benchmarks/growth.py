"""Measurements of what grows: the cost of a claim and of a job with the number of tenants that wait."""
import contextlib
import subprocess
import time

from .environment import BIN, CLEAN, SCRATCH, filled, psql
from .plans import Log, explained
from .table import median

DRAINED = 2_000
# Tenants with an administrator each, who may export.
TENANTS = """
WITH t AS (INSERT INTO directory.tenant (slug, name) SELECT 'w' || i, 'W' FROM generate_series(1, {tenants}) i RETURNING id),
p AS (INSERT INTO directory.profile (tenant_id, name, permissions, scope) SELECT id, 'P', '{{administrators.view}}', 'tenant' FROM t
      RETURNING id, tenant_id)
INSERT INTO directory.administrator (tenant_id, name, email, profile_id) SELECT tenant_id, 'A', 'a@example.com', id FROM p
"""
# What export.start writes, without the events.
QUEUE = """
INSERT INTO adminexport.tenant_slot (tenant_key) SELECT id::text FROM directory.tenant WHERE slug LIKE 'w%' ON CONFLICT DO NOTHING;
INSERT INTO adminexport.job (id, tenant_key, tenant_slug, actor_key, actor_email, options)
SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
        || '8' || substr(md5(random()::text), 1, 15))::uuid, t.id::text, t.slug, a.id::text, a.email,
    '{{"includeDisabled": false, "includeReferences": false}}'
FROM generate_series(1, {each}) n, directory.tenant t JOIN directory.administrator a ON a.tenant_id = t.id WHERE t.slug LIKE 'w%'
"""


@contextlib.contextmanager
def waiting(tenants, each):
    """A database in which tenants wait with so many jobs each."""
    database = f"bench_{tenants}"
    with filled(database, 0, tenants=()) as url:
        psql(database, TENANTS.format(tenants=tenants))
        psql(database, QUEUE.format(each=each))
        # In a session of its own: VACUUM takes no transaction.
        psql(database, "VACUUM ANALYZE")
        yield database, url


@contextlib.contextmanager
def worker(database, url, slots):
    archives = SCRATCH / f"archives-{database}"
    archives.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [BIN / "adminexportd", "work", "--workers", str(slots), "--archives", archives, "--log-level", "error"], env={**CLEAN, **url})
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def measure(table, rounds):
    table.section(f"Tenants that wait, each with the same number of jobs (medians of {rounds})")
    sizes = ((100, 20), (1_000, 2), (10_000, 1))
    times, claims, grid = {tenants: [] for tenants, _ in sizes}, {tenants: [] for tenants, _ in sizes}, []
    # The speed of the machine changes, so the times of a ratio must be measured together.
    for _ in range(rounds):
        for tenants, each in sizes:
            with waiting(tenants, each) as (database, url):
                claims[tenants] += claim_costs(database, url)
                times[tenants].append(drain(database, url))
    for tenants, each in sizes:
        pages, ms = zip(*claims[tenants])
        table.line(f"a claim, {tenants:,} tenants waiting", median(pages), "pages", ("<=", 40), worst=max(pages), ms=median(ms))
        table.line(f"a job, {tenants:,} tenants waiting, 2 workers", median(times[tenants]), "ms", all=times[tenants])
        grid.append([tenants, tenants * each, median(pages), max(pages), median(ms), median(times[tenants])])
    table.line("a job with 10,000 tenants / with 100", median([many / few for many, few in zip(times[10_000], times[100])]), "",
               ("<=", 1.15))
    table.grid("Claims while tenants wait", [
        "tenants", "jobs", "claim, pages", "claim, maximum pages", "claim, ms in PostgreSQL", "time for each job, ms"], grid)


def drain(database, url):
    """The milliseconds for each job of two worker processes, until they have made DRAINED jobs, or most of a shorter queue."""
    queued = int(psql(database, "SELECT count(*) FROM adminexport.job WHERE state = 'queued'"))
    begin = psql(database, "SELECT clock_timestamp()")
    ended = ("SELECT count(*), extract(epoch FROM max(finished_at) - min(started_at)) FROM adminexport.job "
             f"WHERE state = 'succeeded' AND started_at > '{begin}'")
    end = time.monotonic() + 600
    with worker(database, url, 1), worker(database, url, 1):
        while int(psql(database, ended).split("|")[0]) < min(DRAINED, queued * 9 // 10):
            if time.monotonic() > end:
                raise SystemExit("the workers do not make the exports")
            time.sleep(0.5)
    failed = psql(database, "SELECT count(*) FROM adminexport.job WHERE state = 'failed'")
    if failed != "0":
        raise SystemExit(f"{failed} exports failed")
    count, seconds = psql(database, ended).split("|")
    return 1_000 * float(seconds) / int(count)


def claim_costs(database, url):
    """The pages that claims read and their milliseconds in PostgreSQL. Some twenty jobs end meanwhile."""
    log = Log()
    ended = "SELECT count(*) FROM adminexport.job WHERE state = 'succeeded'"
    before = int(psql(database, ended))
    with explained(database), worker(database, url, 1):
        end = time.monotonic() + 60
        while int(psql(database, ended)) < before + 20 and time.monotonic() < end:
            time.sleep(0.05)
    found = [(pages, ms) for plan, pages, ms in log.statements() if "AS turn_of" in plan and "Update on job" in plan]
    # The first claims of a session also read the catalog.
    return found[3:]
