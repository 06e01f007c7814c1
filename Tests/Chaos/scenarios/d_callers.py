"""Many callers at once while workers are killed, cancellations at every moment, and concurrent starts with one key."""
import base64
import hashlib
import os
import signal
import socket
import subprocess
import threading
import time

from system import BIN, Caller, RPCFault, System, chance, until


def storm(cluster, short):
    """16 clients start, cancel, delete and download, while workers are killed at random"""
    seconds = 8 if short else 60
    counts, lock, faults = {}, threading.Lock(), []

    def client(system, number, end):
        pick = chance(number)
        mine = []
        try:
            with Caller(system.socket) as caller:
                while time.monotonic() < end:
                    action = pick.choice(["start", "start", "cancel", "delete", "download", "get"])
                    tenant = pick.choice(["acme", "globex", "initech"])
                    try:
                        if action == "start" or not mine:
                            action = "start"
                            mine.append((system.export(caller, tenant), tenant))
                        else:
                            job, tenant = pick.choice(mine)
                            params = {"actor": system.actor(tenant), "job": job}
                            if action == "download":
                                part = caller.call("export.read", **params, offset=0, length=524_288)
                                assert base64.b64decode(part["data"])[:2] == b"PK"
                            else:
                                caller.call(f"export.{action}", **params)
                        word = action
                    except RPCFault as fault:
                        assert fault.kind in ("not-ready", "expired", "quota-exceeded", "overloaded", "unavailable"), fault
                        word = fault.kind
                    with lock:
                        counts[word] = counts.get(word, 0) + 1
                    time.sleep(pick.random() * 0.05)
        except Exception as fault:  # reported after the threads have ended
            faults.append(fault)

    kills = 0
    with System(cluster, tenants=("acme", "globex", "initech"), LEASE="2s", LIMITS_QUEUED_PER_TENANT=200) as system:
        system.serve()
        workers = [system.work(workers=2) for _ in range(3)]
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=client, args=(system, number, end)) for number in range(16)]
        for thread in threads:
            thread.start()
        pick = chance(99)
        while time.monotonic() < end:
            time.sleep(pick.random() * 2)
            victim = pick.randrange(len(workers))
            workers[victim].kill()
            system.processes.remove(workers[victim])
            workers[victim] = system.work(workers=2)
            kills += 1
        for thread in threads:
            thread.join()
        assert not faults, faults
        figures = system.check(retired=True)
        states = system.sql("SELECT state, count(*) FROM adminexport.job GROUP BY 1 ORDER BY 1")
        most = _most_running(system)
    assert most <= 2, most
    return {"runs": 1, **figures, "kills": kills, "most running of a tenant": most,
            **{f"{state}": int(count) for state, count in states}, "calls": sum(counts.values())}


def _most_running(system):
    """The largest number of concurrent jobs of one tenant in the audit trail: each runs from its start to its end or next start."""
    rows = system.sql(
        "WITH spells AS (SELECT tenant_slug, job, event, at, lead(at) OVER (PARTITION BY job ORDER BY at, id) AS until"
        " FROM adminexport.audit_event WHERE event IN ('started', 'finished', 'failed', 'cancelled') AND"
        " reason IS DISTINCT FROM 'requested'), marks AS (SELECT tenant_slug, at, 1 AS step FROM spells WHERE event = 'started'"
        " UNION ALL SELECT tenant_slug, until, -1 FROM spells WHERE event = 'started' AND until IS NOT NULL)"
        " SELECT coalesce(max(n), 0) FROM (SELECT sum(step) OVER (PARTITION BY tenant_slug ORDER BY at, step) AS n FROM marks) m")
    return int(rows[0][0])


def cancel(cluster, short):
    """jobs are cancelled in every phase"""
    count = 12 if short else 100
    with System(cluster, administrators=60_000, LIMITS_QUEUED_PER_TENANT=1_000) as system:
        system.serve()
        system.work(workers=2)
        pick = chance(7)
        with Caller(system.socket) as caller:
            start = time.monotonic()
            system.finish([system.export(caller)])
            length = time.monotonic() - start
            for _ in range(count):
                job = system.export(caller)
                # Until after the end of some, also on a busy machine.
                time.sleep(pick.random() * 2.5 * length)
                caller.call("export.cancel", actor=system.actor(), job=job)
        figures = system.check(retired=True)
        states = system.sql("SELECT state, count(*) FROM adminexport.job GROUP BY 1 ORDER BY 1")
        assert short or len(states) == 2, states
        return {"runs": count, **figures, **{state: int(number) for state, number in states}}


def key(cluster, short):
    """a hundred callers start an export with the same key at once"""
    with System(cluster) as system:
        system.serve(workers=1)
        jobs, faults = set(), []
        gate = threading.Barrier(100)

        def ask():
            try:
                with Caller(system.socket) as caller:
                    gate.wait(30)
                    jobs.add(system.export(caller, idempotencyKey="one"))
            except Exception as fault:
                faults.append(fault)
        threads = [threading.Thread(target=ask) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not faults and len(jobs) == 1, (faults, jobs)
        try:
            system.export(idempotencyKey="one", includeDisabled=True)
            raise AssertionError("other parameters were accepted")
        except RPCFault as fault:
            assert fault.kind == "conflict"
        figures = system.check()
        assert figures["jobs"] == 1
        return {"runs": 100, **figures, "other parameters": "conflict"}


def quota(cluster, short):
    """a tenant's queue is full: the caller gets the time to retry, and other tenants do not wait"""
    with System(cluster, tenants=("acme", "globex")) as system:
        system.serve()
        refused = []
        for _ in range(20):
            try:
                system.export()
            except RPCFault as fault:
                assert fault.kind == "quota-exceeded" and fault.data["retryAfterMs"] > 0, fault.data
                refused.append(fault.data["retryAfterMs"])
        other = system.export(tenant="globex")
        system.work()
        system.finish([other])
        figures = system.check()
        assert len(refused) == 4
        return {"runs": 20, **figures, "refused": len(refused), "retry after ms": refused[0]}


def rounds(cluster, short):
    """one retention round under a moving clock: expiry, deletion, hold, and removal of files within five seconds"""
    with System(cluster, RETENTION="3s") as system:
        system.serve()
        system.work()
        gone, held, deleted = (system.export() for _ in range(3))
        system.finish([gone, held, deleted])
        system.call("service.hold", job=held, on=True)
        system.call("export.delete", actor=system.actor(), job=deleted)
        start = time.monotonic()
        until("the deleted file is removed", lambda: not any(deleted in path.name for path in system.files()), 10, 0.01)
        seconds = time.monotonic() - start
        until("the workbook is expired", lambda: system.row(gone)["state"] == "expired", 20)
        until("its file is removed", lambda: not any(gone in path.name for path in system.files()), 10)
        time.sleep(2)
        assert system.row(held)["state"] == "succeeded" and any(held in path.name for path in system.files())
        return {"runs": 3, **system.check(), "deleted file gone after s": seconds}


def restarts(cluster, short):
    """adminexport run delivers ten exports during ten restarts of the service behind the same socket, half of them by SIGKILL"""
    count = 10
    with System(cluster, administrators=20_000, LEASE="2s") as system, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(system.socket))
        listening.listen(128)
        folder = system.folder / "files"
        folder.mkdir()
        environment = {**os.environ, "ADMINEXPORT_SOCKET": str(system.socket), "ADMINEXPORT_TENANT": "acme",
                       "ADMINEXPORT_AS": "owner@acme.example"}

        def start():
            return system.start("serve", "--workers", "1", listening=listening)

        service = start()
        system.call("service.health")
        pick, longest = chance(11), 0
        for number in range(count):
            begin = time.monotonic()
            run = subprocess.Popen(
                [str(BIN / "adminexport"), "run", "-q", "-o", f"{number}.xlsx"], cwd=folder, env=environment,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(pick.random() * 1.5)
            if number % 2:
                service.kill()
            else:
                service.end()
            system.processes.remove(service)
            service = start()
            try:
                output, errors = run.communicate(timeout=120)
            except subprocess.TimeoutExpired:
                run.kill()
                raise AssertionError(f"run {number} does not end")
            assert run.returncode == 0 and output == f"{number}.xlsx\n", (number, run.returncode, output, errors)
            longest = max(longest, time.monotonic() - begin)
        digests = {hashlib.sha256((folder / f"{number}.xlsx").read_bytes()).hexdigest() for number in range(count)}
        rows = system.sql("SELECT state, encode(sha256, 'hex') FROM adminexport.job")
        assert len(rows) == count and all(state == "succeeded" for state, _ in rows), rows
        assert {digest for _, digest in rows} == digests, "a file differs from its job's digest"
        assert len(list(folder.iterdir())) == count, "a partial file is left"
        return {"runs": count, "files": count, "errors": 0, **system.check(retired=True), "longest run s": longest}


SCENARIOS = [storm, cancel, key, quota, rounds, restarts]
