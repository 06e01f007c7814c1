#!/usr/bin/env python3
"""Measure exports beside psql's COPY of the same report, in one run, on one machine.

Called through Scripts/postgres.sh, which starts a private PostgreSQL with its defaults (fsync on).

usage: Scripts/postgres.sh Benchmarks/bench.py [ROUNDS [ADMINISTRATORS… | options]]

For each number of administrators a fresh daemon makes ROUNDS exports (default 5), each followed by one COPY of
Benchmarks/report.sql as CSV to /dev/null (work_mem 256 MB, jit off). Printed are medians, their ratio, and the daemon's peak
of resident memory (VmHWM). An export's time is from export.start to succeeded, as the job's row has it. With `options`, a
million are exported with each way to make the file (README, Configure).
"""
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("BIN_DIR", ROOT / ".build/release"))
DAEMON = BIN / "adminexportd"
SOCKET_DIR, USER = os.environ["PG_SOCKET_DIR"], os.environ["PG_SUPERUSER"]
SCRATCH = pathlib.Path(os.environ["SCRATCH"])
PSQL = [os.environ["PG_BIN"] + "/psql", "-X", "-q", "-h", SOCKET_DIR, "-U", USER, "-v", "ON_ERROR_STOP=1"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("ADMINEXPORT_")}


def psql(database, sql, **environment):
    return subprocess.run([*PSQL, "-A", "-t", "-d", database, "-c", sql], check=True, capture_output=True, text=True,
                          env={**CLEAN, **environment}).stdout.strip()


def report(database):
    lines = (ROOT / "Benchmarks/report.sql").read_text().splitlines()
    query = "\n".join(line for line in lines if not line.startswith("--")).replace(":tenant", "1")
    start = time.monotonic()
    with open(os.devnull, "w") as sink:
        subprocess.run([*PSQL, "-d", database, "-c", f"COPY ({query}) TO STDOUT (FORMAT csv)"], check=True, stdout=sink,
                       env={**CLEAN, "PGOPTIONS": "-c work_mem=256MB -c jit=off"})
    return time.monotonic() - start


def fill(database, administrators):
    """A database with a tenant of so many administrators; gives the environment that leads to it, and the seconds it took."""
    psql("postgres", f"CREATE DATABASE {database}")
    url = {"ADMINEXPORT_DATABASE_URL": f"postgresql:///{database}?host={SOCKET_DIR}&user={USER}"}
    subprocess.run([DAEMON, "migrate", "--with-directory"], check=True, env={**CLEAN, **url}, stdout=subprocess.DEVNULL)
    start = time.monotonic()
    subprocess.run([DAEMON, "demo-data", "--tenant", "acme", "--administrators", str(administrators)], check=True,
                   env={**CLEAN, **url}, stdout=subprocess.DEVNULL)
    seeded = time.monotonic() - start
    psql(database, "CHECKPOINT")
    return url, seeded


@contextlib.contextmanager
def service(database, url, **settings):
    """A daemon on its own socket, for as long as the body runs; gives the process and the client's environment."""
    archives, socket = SCRATCH / f"archives-{database}", SCRATCH / f"{database}.sock"
    archives.mkdir(exist_ok=True)
    process = subprocess.Popen([DAEMON, "serve", "--socket", socket, "--archives", archives, "--log-level", "error"],
                               env={**CLEAN, **url, **settings})
    try:
        while not socket.exists():
            time.sleep(0.05)
        yield process, {**CLEAN, "ADMINEXPORT_SOCKET": str(socket), "ADMINEXPORT_TENANT": "acme",
                        "ADMINEXPORT_AS": "owner@acme.example"}
    finally:
        process.terminate()
        process.wait()


def export(database, client):
    """Makes an export; the seconds from export.start to succeeded, and the workbook's bytes."""
    job = json.loads(subprocess.run([BIN / "adminexport", "start", "--json"], check=True, env=client,
                                    capture_output=True).stdout)["id"]
    subprocess.run([BIN / "adminexport", "wait", job, "-q"], check=True, env=client, stdout=subprocess.DEVNULL)
    row = psql(database, f"SELECT extract(epoch FROM finished_at - created_at), size FROM adminexport.job "
                         f"WHERE id = '{job}' AND state = 'succeeded'")
    seconds, size = row.split("|")
    return float(seconds), int(size)


def measure(administrators, rounds):
    database = f"bench_{administrators}"
    url, seeded = fill(database, administrators)
    with service(database, url) as (process, client):
        exports, copies = [], []
        for _ in range(rounds):
            seconds, size = export(database, client)
            exports.append(seconds)
            copies.append(report(database))
        peak = next(line.split()[1] for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
                    if line.startswith("VmHWM"))
    taken, copy = statistics.median(exports), statistics.median(copies)
    print(f"{administrators:>9,} administrators: export {taken:6.2f} s   COPY as CSV {copy:6.2f} s   ratio {taken / copy:4.2f}"
          f"   peak {int(peak) / 1024:5.1f} MiB   workbook {size / 1e6:5.1f} MB   (demo data in {seeded:.1f} s)", flush=True)
    psql("postgres", f"DROP DATABASE {database}")


def measure_options(administrators, rounds):
    """The same export with each way to make the file, in turn, so that a slow minute meets all of them."""
    database = "bench_options"
    url, _ = fill(database, administrators)
    ways = [("defaults", {})]
    ways += [(f"compression level {level}", {"ADMINEXPORT_WORKBOOK_COMPRESSION_LEVEL": str(level)}) for level in (3, 6, 9)]
    ways.append(("no cell references", {"ADMINEXPORT_WORKBOOK_CELL_REFERENCES": "false"}))
    times, sizes = {name: [] for name, _ in ways}, {}
    for _ in range(rounds):
        for name, settings in ways:
            with service(database, url, **settings) as (_, client):
                seconds, sizes[name] = export(database, client)
                times[name].append(seconds)
    first = ways[0][0]
    for name, _ in ways:
        taken = statistics.median(times[name])
        print(f"{administrators:>9,} administrators, {name:20} export {taken:6.2f} s ({taken / statistics.median(times[first]):4.2f})"
              f"   workbook {sizes[name] / 1e6:6.1f} MB ({sizes[name] / sizes[first]:4.2f})", flush=True)
    psql("postgres", f"DROP DATABASE {database}")


def main(rounds=5, *administrators):
    version = psql("postgres", "SHOW server_version")
    print(f"PostgreSQL {version}, {os.cpu_count()} cores, medians of {rounds} rounds", flush=True)
    for count in administrators or (10_000, 100_000, 1_000_000):
        if count == "options":
            measure_options(1_000_000, int(rounds))
        else:
            measure(int(count), int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
