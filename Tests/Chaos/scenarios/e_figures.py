"""Fairness, latency, idle load, and the effect of a long transaction, which holds back the xmin horizon, on the queue."""
import contextlib
import os
import pathlib
import subprocess
import time

from system import SUPERUSER, Caller, Process, Skip, System, percentile, until
from scenarios.d_callers import _most_running


def _flood(system, tenant, count):
    """Puts jobs of a tenant into the queue, as `count` calls of export.start do."""
    system.sql(
        f"INSERT INTO adminexport.tenant_slot (tenant_key) SELECT id::text FROM directory.tenant WHERE slug = '{tenant}'"
        " ON CONFLICT DO NOTHING;"
        "INSERT INTO adminexport.job (id, tenant_key, tenant_slug, actor_key, actor_email, options)"
        " SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' ||"
        "         lpad(to_hex(n % 4096), 3, '0') || '8' || substr(md5(random()::text), 1, 15))::uuid, t.id::text, t.slug, a.id::text, a.email,"
        "   '{\"includeDisabled\": false, \"includeReferences\": false}'"
        f" FROM directory.tenant t JOIN directory.administrator a ON a.tenant_id = t.id AND a.email = 'owner@{tenant}.example',"
        f" generate_series(1, {count}) n WHERE t.slug = '{tenant}'")


def fairness(cluster, short):
    """a tenant's single job behind thousands of another tenant"""
    count = 2_000 if short else 10_000
    waits, turns = [], []
    with System(cluster, tenants=("acme", "globex"), administrators=3_000, LIMITS_QUEUED_PER_TENANT=100_000) as system:
        system.serve()
        _flood(system, "acme", count)
        system.work(workers=2)
        until("workers make the exports", lambda: system.sql(
            "SELECT count(*) FROM adminexport.job WHERE state = 'succeeded'")[0][0] > "5")
        for _ in range(5 if short else 20):
            job = system.export(tenant="globex")
            system.finish([job])
            waits.append(float(system.sql(
                f"SELECT extract(epoch FROM started_at - created_at) FROM adminexport.job WHERE id = '{job}'")[0][0]))
            # The number of jobs of the other tenant that started while this one waited.
            turns.append(int(system.sql(
                "SELECT count(*) FROM adminexport.job j, adminexport.job o WHERE j.tenant_slug = 'globex' AND o.tenant_slug = 'acme'"
                f" AND j.id = '{job}' AND o.started_at > j.created_at AND o.started_at < j.started_at")[0][0]))
        run = float(system.sql(
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY finished_at - started_at) FROM"
            " (SELECT extract(epoch FROM finished_at) AS finished_at, extract(epoch FROM started_at) AS started_at"
            "  FROM adminexport.job WHERE state = 'succeeded') AS runs")[0][0])
        most = _most_running(system)
        left = int(system.sql("SELECT count(*) FROM adminexport.job WHERE state = 'queued'")[0][0])
        system.sql("UPDATE adminexport.job SET state = 'cancelled', finished_at = now(), cancel_requested_at = now()"
                   " WHERE state = 'queued'")
    # One turn: a job that started in between took a slot that was free before this job was queued.
    assert max(turns) <= 2 and most <= 2, (turns, most)
    return {"runs": len(waits), "jobs ahead": left, "wait s, median": percentile(waits, 0.5), "wait s, worst": max(waits),
            "a run s, median": run, "others started meanwhile, most": max(turns), "most running of a tenant": most}


def latency(cluster, short):
    """an idle worker: the time from the insert of a job to its claim"""
    count = 20 if short else 200
    with System(cluster) as system:
        system.serve()
        system.work()
        waits = []
        with Caller(system.socket) as caller:
            for _ in range(count):
                time.sleep(0.05)
                job = system.export(caller)
                system.finish([job])
                waits.append(1_000 * float(system.sql(
                    f"SELECT extract(epoch FROM started_at - created_at) FROM adminexport.job WHERE id = '{job}'")[0][0]))
        figures = system.check()
        return {"runs": count, **figures, "pickup ms p50": percentile(waits, 0.5), "p99": percentile(waits, 0.99),
                "worst": max(waits)}


def idle(cluster, short):
    """an idle installation: the queries of a serving and a working process"""
    seconds = 15 if short else 60
    log = pathlib.Path(cluster.sockets) / "log"
    with System(cluster) as system:
        for setting in ("log_statement = 'all'", "log_min_messages = 'log'"):
            cluster.sql(f"ALTER ROLE {system.role} SET {setting}")
        system.serve()
        system.work()
        for _ in range(3):
            system.finish([system.export()])
        time.sleep(6)

        def statements():
            return [line for line in log.read_text(errors="replace").splitlines()
                    if "statement: " in line or "execute " in line]
        before = len(statements())
        time.sleep(seconds)
        found = statements()[before:]
        transactions = sum("statement: BEGIN" in line for line in found)
        queries = sum("execute " in line for line in found)
        # Two processes that poll every five seconds, and inspect the directory every minute in a few transactions. A loop that does not
        # wait would ask many times a second.
        assert 0 < queries <= seconds and transactions <= (0 if short else 16), found[:20]
        system.check()
        return {"seconds": seconds, "transactions a second": transactions / seconds, "queries a second": queries / seconds}


@contextlib.contextmanager
def _horizon(system):
    """A transaction in another session, with a snapshot of the current state."""
    holder = subprocess.Popen(
        [f"{system.cluster.programs}/psql", "-h", system.cluster.sockets, "-U", SUPERUSER, "-d", system.name, "-qX"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    holder.stdin.write("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM adminexport.job;\n")
    holder.stdin.flush()
    until("the horizon is held", lambda: system.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xmin IS NOT NULL") != [["0"]])
    try:
        yield
    finally:
        holder.stdin.close()
        holder.wait(30)


def horizon(cluster, short):
    """another transaction holds back the xmin horizon for minutes while jobs run"""
    seconds = 10 if short else 180

    def run(system, caller, span):
        waits, end = [], time.monotonic() + span
        while time.monotonic() < end:
            job = system.export(caller)
            system.finish([job])
            waits.append(1_000 * float(system.sql(
                f"SELECT extract(epoch FROM started_at - created_at) FROM adminexport.job WHERE id = '{job}'")[0][0]))
        return waits
    with System(cluster, LIMITS_QUEUED_PER_TENANT=10_000) as system:
        system.serve()
        system.work()
        with Caller(system.socket) as caller:
            free = run(system, caller, seconds / 3)
            system.sql("VACUUM adminexport.job, adminexport.lease, adminexport.tenant_slot")
            with _horizon(system):
                dead = {}
                held = run(system, caller, seconds)
                time.sleep(1.5)
                for table, number in system.sql(
                        "SELECT relname, n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'adminexport'"
                        " AND relname IN ('job', 'lease', 'tenant_slot', 'worker')"):
                    dead[table] = int(number) / len(held)
                last = held[-max(3, len(held) // 5):]
            figures = system.check()
    assert dead["job"] <= 3 and dead["tenant_slot"] <= 3, dead
    return {"runs": len(held), **figures, "pickup ms p50 before": percentile(free, 0.5), "while held": percentile(held, 0.5),
            "at its end": percentile(last, 0.5), **{f"dead rows of {table} a job": number for table, number in sorted(dead.items())}}


def upgrade(cluster, short):
    """programs of the previous release, in OLD_BIN_DIR, on the new schema beside new programs"""
    folder = os.environ.get("OLD_BIN_DIR")
    if not folder:
        raise Skip("OLD_BIN_DIR is not set; run make chaos-upgrade, which builds the previous release")
    old = pathlib.Path(folder) / "adminexportd"
    with System(cluster, tenants=("acme", "globex"), administrators=1_500, LEASE="2s") as system:
        version = system.maintain("migrate").strip()

        def start(*arguments):
            process = Process([*arguments, "--archives", str(system.archives)], system.environment(system.url()),
                              system.folder / f"old-{len(system.processes)}.log", old)
            system.processes.append(process)
            return process
        serve = start("serve", "--socket", str(system.socket), "--workers", "1")
        until("the old service answers", lambda: system.socket.exists() and system.workers() >= 1)
        jobs = [system.export(tenant=tenant) for tenant in ("acme", "globex") for _ in range(3)]
        system.finish(jobs)
        first = jobs[0]
        part = system.call("export.read", actor=system.actor(), job=first, offset=0, length=100)
        system.call("export.delete", actor=system.actor(), job=first)
        cancelled = [system.export() for _ in range(2)]
        for job in cancelled:
            system.call("export.cancel", actor=system.actor(), job=job)
        # Processes are replaced one by one: new and old workers run in parallel, the old one is killed, the new one takes over.
        new = system.work()
        mixed = [system.export(tenant=("acme", "globex")[index % 2]) for index in range(10)]
        system.finish(mixed)
        serve.kill()
        system.processes.remove(serve)
        system.socket.unlink()
        system.serve(workers=1)
        last = [system.export() for _ in range(3)]
        system.finish(last)
        figures = system.check(retired=True)
        new.end()
        assert part["size"] > 100
        # The schema fills the columns that old programs do not write.
        assert system.sql("SELECT count(*) FROM adminexport.audit_event e JOIN adminexport.job j ON j.id = e.job"
                          " WHERE e.tenant_key IS DISTINCT FROM j.tenant_key") == [["0"]]
        assert system.sql("SELECT count(*) FROM adminexport.job WHERE epoch > 0 AND attempt_started_at IS NULL") == [["0"]]
        return {"runs": 1, **figures, "schema": version.split("version ")[-1].rstrip(").")}


SCENARIOS = [fairness, latency, idle, horizon, upgrade]
