"""Workers that are killed, and workers that are suspended and continue."""
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
                assert int(row["epoch"]) >= 2 and int(row["crashes"]) >= 1, row
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


SCENARIOS = [kill, zombie, returned, poison, hang]
