#!/usr/bin/env python3
"""Measure exports beside psql's COPY of the same report, in one run, on one machine.

Called through Scripts/postgres.sh, which starts a private PostgreSQL with its defaults (fsync on).

usage: Scripts/postgres.sh Benchmarks/bench.py [ROUNDS [ADMINISTRATORS…]]

For each number of administrators a fresh daemon makes ROUNDS exports (default 5), each followed by one COPY of
Benchmarks/report.sql as CSV to /dev/null (work_mem 256 MB, jit off). Printed are medians, their ratio, and the daemon's peak
of resident memory (VmHWM). An export's time is from export.start to succeeded, as the job's row has it.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("BIN_DIR", ROOT / ".build/release"))
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


def measure(administrators, rounds):
    database = f"bench_{administrators}"
    psql("postgres", f"CREATE DATABASE {database}")
    url = {"ADMINEXPORT_DATABASE_URL": f"postgresql:///{database}?host={SOCKET_DIR}&user={USER}"}
    daemon = BIN / "adminexportd"
    subprocess.run([daemon, "migrate", "--with-directory"], check=True, env={**CLEAN, **url}, stdout=subprocess.DEVNULL)
    start = time.monotonic()
    subprocess.run([daemon, "demo-data", "--tenant", "acme", "--administrators", str(administrators)], check=True,
                   env={**CLEAN, **url}, stdout=subprocess.DEVNULL)
    seeded = time.monotonic() - start
    psql(database, "CHECKPOINT")

    archives, socket = SCRATCH / f"archives-{administrators}", SCRATCH / f"{administrators}.sock"
    archives.mkdir()
    service = subprocess.Popen([daemon, "serve", "--socket", socket, "--archives", archives, "--log-level", "error"],
                               env={**CLEAN, **url})
    client = {**CLEAN, "ADMINEXPORT_SOCKET": str(socket), "ADMINEXPORT_TENANT": "acme",
              "ADMINEXPORT_AS": "owner@acme.example"}
    try:
        while not socket.exists():
            time.sleep(0.05)
        exports, copies = [], []
        for _ in range(rounds):
            job = json.loads(subprocess.run([BIN / "adminexport", "start", "--json"], check=True, env=client,
                                            capture_output=True).stdout)["id"]
            subprocess.run([BIN / "adminexport", "wait", job, "-q"], check=True, env=client, stdout=subprocess.DEVNULL)
            exports.append(float(psql(database, f"SELECT extract(epoch FROM finished_at - created_at) FROM adminexport.job "
                                                f"WHERE id = '{job}' AND state = 'succeeded'")))
            copies.append(report(database))
        peak = next(line.split()[1] for line in pathlib.Path(f"/proc/{service.pid}/status").read_text().splitlines()
                    if line.startswith("VmHWM"))
        size = psql(database, "SELECT max(size) FROM adminexport.job")
    finally:
        service.terminate()
        service.wait()
    export, copy = statistics.median(exports), statistics.median(copies)
    print(f"{administrators:>9,} administrators: export {export:6.2f} s   COPY as CSV {copy:6.2f} s   ratio {export / copy:4.2f}"
          f"   peak {int(peak) / 1024:5.1f} MiB   workbook {int(size) / 1e6:5.1f} MB   (demo data in {seeded:.1f} s)", flush=True)
    psql("postgres", f"DROP DATABASE {database}")


def main(rounds=5, *administrators):
    version = psql("postgres", "SHOW server_version")
    print(f"PostgreSQL {version}, {os.cpu_count()} cores, medians of {rounds} rounds", flush=True)
    for count in administrators or (10_000, 100_000, 1_000_000):
        measure(int(count), int(rounds))


if __name__ == "__main__":
    main(*sys.argv[1:])
