"""Workers that are killed, and workers that are suspended and continue."""
import contextlib
import signal
import subprocess
import time

from system import SUPERUSER, System, until

STEPS = ("claimed", "first-row", "mid-file", "sync", "rename", "before-publish", "after-publish")


def _lease(short):
    # Long enough that a busy machine loses no lease without a fault.
    return {"LEASE": "4s"} if short else {}


def kill(cluster, short):
    """SIGKILL of a worker at each step of an export: another worker finishes the job"""
    recovery, partials = {}, 0
    with System(cluster, administrators=1_500, **_lease(short)) as system:
        system.serve()
        for step in STEPS:
            system.arm(step)
            victim = system.work(stops=True)
            job = system.export()
            until(f"the worker stops at {step}", victim.is_stopped)
            other = system.work()
            killed = time.time()
            victim.kill()
            system.finish([job])
            row = system.row(job)
            ended = float(system.sql(f"SELECT extract(epoch FROM finished_at) FROM adminexport.job WHERE id = '{job}'")[0][0])
            assert row["state"] == "succeeded", row
            if step != "after-publish":
                assert int(row["epoch"]) >= 2 and int(row["crashes"]) + int(row["losses"]) >= 1, row
                recovery[step] = ended - killed
            partials += sum(path.suffix == ".partial" for path in system.files())
            other.end()
        figures = system.check()
    assert partials == 0, f"{partials} partials were left"
    worst = max(recovery.values())
    assert short or worst <= 20, recovery
    return {"runs": len(STEPS), **figures, "partials left": partials, "slowest recovery s": worst,
            "median s": sorted(recovery.values())[len(recovery) // 2]}


def zombie(cluster, short):
    """SIGSTOP of a worker in the middle of a file until another worker has finished the job, then SIGCONT"""
    steps = ("mid-file", "before-publish") if short else ("claimed", "mid-file", "rename", "before-publish")
    stopped = 6 if short else 30
    with System(cluster, administrators=1_500, **_lease(short)) as system:
        system.serve()
        for step in steps:
            system.arm(step)
            victim = system.work(stops=True)
            job = system.export()
            until(f"the worker stops at {step}", victim.is_stopped)
            since = time.monotonic()
            other = system.work()
            system.finish([job])
            before = system.row(job)
            time.sleep(max(0, stopped - (time.monotonic() - since)))
            victim.signal(signal.SIGCONT)
            until("the worker that continued finds that another worker has the job",
                  lambda: "event=lateWriteRefused" in victim.log, 30)
            assert system.row(job) == before and before["state"] == "succeeded" and int(before["epoch"]) >= 2, (before, system.row(job))
            victim.end()
            other.end()
        return {"runs": len(steps), **system.check(), "writes rejected": len(steps)}


def returned(cluster, short):
    """SIGSTOP of the only worker beyond its lease, then SIGCONT: it returns the job, and the service counts no crash"""
    runs = 0
    with System(cluster, administrators=1_500, LEASE="4s") as system:
        system.serve()
        for step in ("claimed", "mid-file", "before-publish"):
            system.arm(step)
            worker = system.work(stops=True)
            job = system.export()
            until(f"the worker stops at {step}", worker.is_stopped)
            time.sleep(5)
            worker.signal(signal.SIGCONT)
            system.finish([job])
            row = system.row(job)
            assert row["state"] == "succeeded" and row["crashes"] == "0" and int(row["epoch"]) >= 2, row
            worker.end()
            runs += 1
        return {"runs": runs, **system.check(), "crashes counted": 0}


def poison(cluster, short):
    """a job whose worker dies each time fails at the third lost lease"""
    with System(cluster, administrators=1_500, LEASE="4s") as system:
        system.serve()
        job = None
        for _ in range(3):
            system.arm("first-row")
            victim = system.work(stops=True)
            job = job or system.export()
            until("the worker stops", victim.is_stopped)
            victim.kill()
        other = system.work()
        system.finish([job])
        row = system.row(job)
        assert row["state"] == "failed" and row["error_kind"] == "worker-crashed" and row["crashes"] == "3", row
        other.end()
        return {"runs": 1, **system.check(retired=True), "kind": row["error_kind"]}


@contextlib.contextmanager
def _endless(system):
    """Locks a table, so that an export neither goes on nor ends. Its heartbeat continues."""
    holder = subprocess.Popen(
        [f"{system.cluster.programs}/psql", "-h", system.cluster.sockets, "-U", SUPERUSER, "-d", system.name, "-qX"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    holder.stdin.write("BEGIN; LOCK TABLE directory.administrator_team;\n")
    holder.stdin.flush()
    until("the table is locked", lambda: system.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'") != [["0"]])
    try:
        yield
    finally:
        holder.stdin.close()
        holder.wait(30)


def outlast_grace(system):
    """Waits until the server is older than a lease: one that has just started gives every lease its full duration."""
    until("the server is older than a lease", lambda: system.sql(
        "SELECT pg_postmaster_start_time() < now() - interval '13 s'") == [["t"]], 20)


def _runs_again(system, job, since, seconds):
    """The seconds from a moment to the start of the second attempt."""
    return float(until("the job runs again", lambda: system.sql(
        f"SELECT extract(epoch FROM attempt_started_at) - {since} FROM adminexport.job WHERE id = '{job}' AND epoch = 2"), seconds,
        0.05)[0][0])


def dead(cluster, short):
    """SIGKILL of a worker that exports: an idle worker runs the job again within four seconds"""
    times = []
    with System(cluster) as system:
        outlast_grace(system)
        system.serve()
        victim = system.work()
        for run in range(3 if short else 20):
            with _endless(system):
                job = system.export()
                until("the export runs", lambda: system.row(job)["state"] == "running")
                other = system.work()
                # Each run ends in another part of the second.
                time.sleep(1.5 + run % 10 / 10)
                killed = time.time()
                victim.kill()
                times.append(_runs_again(system, job, killed, 20))
            system.finish([job])
            row = system.row(job)
            assert row["state"] == "succeeded" and row["crashes"] == "0" and row["losses"] == "1", row
            victim = other
        figures = system.check()
    assert max(times) <= 4, times
    return {"runs": len(times), **figures, "running again s, median": sorted(times)[len(times) // 2], "worst": max(times)}


def frozen(cluster, short):
    """SIGSTOP of a worker that exports: its session stays, so the job runs again only at the end of the lease"""
    with System(cluster) as system:
        system.serve()
        victim = system.work()
        with _endless(system):
            job = system.export()
            until("the export runs", lambda: system.row(job)["state"] == "running")
            other = system.work()
            time.sleep(1.5)
            stopped = time.time()
            victim.signal(signal.SIGSTOP)
            waited = _runs_again(system, job, stopped, 30)
        system.finish([job])
        row = system.row(job)
        assert 10.5 <= waited <= 15 and row["crashes"] == "1" and row["losses"] == "0", (waited, row)
        victim.end()
        other.end()
        return {"runs": 1, **system.check(), "running again s": waited}


def _end_session(system):
    """Ends the sessions that show that a worker lives."""
    ended = system.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted"
                       " AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE '%listen%'"
                       "  OR datname = current_database() AND query LIKE '%pg_try_advisory_lock%')")
    assert ended, system.sql("SELECT * FROM pg_locks WHERE locktype = 'advisory'")


def lost_session(cluster, short):
    """a worker that lives loses its session: it keeps its job; if it is also stopped, the job runs again, and the file is the second's"""
    with System(cluster) as system:
        outlast_grace(system)
        system.serve()
        worker = system.work()
        with _endless(system):
            job = system.export()
            until("the export runs", lambda: system.row(job)["state"] == "running")
            other = system.work()
            before = system.sql("SELECT proof_lock FROM adminexport.worker ORDER BY started_at LIMIT 1")
            _end_session(system)
            until("the worker has another session", lambda: system.sql(
                "SELECT proof_lock FROM adminexport.worker ORDER BY started_at LIMIT 1") not in (before, [[""]], [[None]]), 20)
            time.sleep(3)
            assert system.row(job)["epoch"] == "1", system.row(job)
        system.finish([job])
        row = system.row(job)
        assert row["state"] == "succeeded" and row["epoch"] == "1", row
        other.end()
        with _endless(system):
            second = system.export()
            until("the export runs", lambda: system.row(second)["state"] == "running")
            other = system.work()
            time.sleep(1.5)
            worker.signal(signal.SIGSTOP)
            stopped = time.time()
            _end_session(system)
            waited = _runs_again(system, second, stopped, 30)
        system.finish([second])
        before = system.row(second)
        worker.signal(signal.SIGCONT)
        until("the worker that continued finds that another worker has the job",
              lambda: "event=lateWriteRefused" in worker.log, 30)
        assert system.row(second) == before and before["state"] == "succeeded" and before["epoch"] == "2", before
        worker.end()
        other.end()
        return {"runs": 2, **system.check(), "running again s": waited}


def hang(cluster, short):
    """a worker that renews its lease and never ends loses the job one lease after its deadline"""
    with System(cluster, administrators=1_500, LEASE="4s", DEADLINE="2s") as system:
        system.serve()
        # The table is locked: the worker's statement waits, and its heartbeat continues.
        holder = subprocess.Popen(
            [f"{cluster.programs}/psql", "-h", cluster.sockets, "-U", SUPERUSER, "-d", system.name, "-qX", "-c",
             "BEGIN; LOCK TABLE directory.administrator_team; SELECT pg_sleep(8)"], stdout=subprocess.DEVNULL)
        until("the table is locked", lambda: system.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'") != [["0"]])
        worker = system.work()
        job = system.export()
        start = time.monotonic()
        system.finish([job])
        seconds = time.monotonic() - start
        row = system.row(job)
        assert row["state"] == "failed" and row["error_kind"] == "deadline-exceeded", row
        holder.wait(30)
        worker.end()
        return {"runs": 1, **system.check(retired=True), "kind": row["error_kind"], "seconds": seconds}


SCENARIOS = [kill, zombie, returned, poison, dead, frozen, lost_session, hang]
