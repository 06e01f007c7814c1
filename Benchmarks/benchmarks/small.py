"""Measurements of many small exports, of export.get, and of an idle service."""
import json
import pathlib
import subprocess
import time

from .environment import PG_BIN, SCRATCH, SOCKET_DIR, USER, filled, program, psql, service
from .table import median

TENANTS = ("t1", "t2", "t3", "t4")
WORKERS = 4


def load(*words):
    tool = program("load", "load.c", "-pthread")
    if tool is None:
        raise SystemExit("There is no C compiler; run: apt-get install gcc libc6-dev")
    done = subprocess.run([tool, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"load failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def exports(table, rounds):
    """Exports of 100 administrators, from export.start to the final state in the reply of export.wait."""
    table.section(f"Exports of 100 administrators, 4 tenants, {WORKERS} workers, default limits (medians of {rounds})")
    alone, eight = [], []
    with filled("bench_small", 100, TENANTS) as url:
        with service("bench_small", url, ADMINEXPORT_WORKERS=str(WORKERS)) as (_, socket):
            load("exports", socket, 8, 2, *TENANTS)  # warm
            for _ in range(rounds):
                alone.append(load("exports", socket, 1, 4, TENANTS[0]))
                eight.append(load("exports", socket, 8, 6, *TENANTS))
    table.line("one caller, p50", median([found["p50"] for found in alone]), "ms", ("<=", 10))
    table.line("one caller, p99", median([found["p99"] for found in alone]), "ms", ("<=", 40))
    table.line("eight callers, exports a second", median([found["perSecond"] for found in eight]), "/s", (">=", 200),
               all=[found["perSecond"] for found in eight])
    table.line("eight callers, p50", median([found["p50"] for found in eight]), "ms")
    table.line("eight callers, p99", median([found["p99"] for found in eight]), "ms")


def gets(table, rounds):
    """export.get and pgbench's single-row SELECT, in turn, on the same number of connections."""
    table.section(f"export.get and pgbench -S -M prepared, 8 connections each, in turn (medians of {rounds})")
    psql("postgres", "CREATE DATABASE bench_pgbench")
    pgbench = [PG_BIN / "pgbench", "-h", SOCKET_DIR, "-U", USER]
    subprocess.run([*pgbench, "-i", "-q", "-s", "10", "bench_pgbench"], check=True, capture_output=True)
    ours, theirs, ratios = [], [], []
    with filled("bench_get", 100, TENANTS[:1]) as url:
        with service("bench_get", url) as (_, socket):
            load("exports", socket, 1, 0.5, TENANTS[0])
            job = psql("bench_get", "SELECT id FROM adminexport.job WHERE state = 'succeeded' LIMIT 1")
            load("get", socket, 8, 1, TENANTS[0], job)
            for _ in range(rounds):
                for _ in range(2):
                    ours.append(load("get", socket, 8, 3, TENANTS[0], job))
                    said = subprocess.run([*pgbench, "-S", "-M", "prepared", "-c", "8", "-j", "2", "-T", "3", "bench_pgbench"],
                                          check=True, capture_output=True, text=True).stdout
                    theirs.append(float(next(line.split()[2] for line in said.splitlines() if line.startswith("tps"))))
                    ratios.append(ours[-1]["perSecond"] / theirs[-1])
    psql("postgres", "DROP DATABASE bench_pgbench")
    table.line("export.get, requests a second", median([found["perSecond"] for found in ours]), "/s",
               p50=median([found["p50"] for found in ours]), p99=median([found["p99"] for found in ours]))
    table.line("pgbench, transactions a second", median(theirs), "/s")
    table.line("export.get / pgbench", median(ratios), "", (">=", 0.15), all=[round(ratio, 3) for ratio in ratios])


def idle(table, rounds):
    """The time of a start, and the queries and wake-ups of a service without requests."""
    table.section("Start and idling")
    with filled("bench_idle", 100) as url:
        starts = []
        for _ in range(rounds * 2 + 1):
            (SCRATCH / "bench_idle.sock").unlink(missing_ok=True)
            start = time.monotonic()
            with service("bench_idle", url):
                starts.append((time.monotonic() - start) * 1_000)
        table.line("from start to a socket that serves", median(starts), "ms", ("<=", 200), all=[round(ms) for ms in starts])
        psql("bench_idle", "ALTER DATABASE bench_idle SET log_statement = 'all'; ALTER DATABASE bench_idle SET log_min_messages = 'log'")
        with service("bench_idle", url) as (process, _):
            time.sleep(20)  # Wait until the service has finished its start.
            before, woken, start = statements(), switches(process), time.monotonic()
            time.sleep(90)
            seconds = time.monotonic() - start
            table.line("queries a second, idle", (statements() - before) / seconds, "/s", ("<=", 0.2))
            table.line("wake-ups a second, all threads, idle", (switches(process) - woken) / seconds, "/s")


def statements():
    """The number of statements in the server's log."""
    log = (pathlib.Path(SOCKET_DIR) / "log").read_text(errors="replace")
    return sum("LOG:  execute " in line or "LOG:  statement: " in line for line in log.splitlines())


def switches(process):
    total = 0
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total
