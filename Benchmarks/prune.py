#!/usr/bin/env python3
"""Measure the memory that a sweep over many archives needs.

Run the program through Scripts/postgres.sh, which starts a private PostgreSQL.

usage: Scripts/postgres.sh Benchmarks/prune.py [FILES]

`adminexportd prune` removes FILES files (default: 300,000) that no export names, all in one directory. The program prints its
seconds and its peak of resident memory, beside those for an empty directory. Set BIN_DIR=FOLDER to measure other programs, such
as those of the previous version.
"""
import os
import subprocess
import sys
import time

from benchmarks import environment


def prune(url, archives):
    start = time.monotonic()
    process = subprocess.Popen([environment.DAEMON, "prune", "--archives", archives, "--log-level", "error"],
                               env={**environment.CLEAN, **url}, stdout=subprocess.PIPE, text=True)
    said = process.stdout.read().strip()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    return time.monotonic() - start, usage.ru_maxrss / 1_024, said


def main(files=300_000):
    archives = environment.SCRATCH / "archives-prune"
    month = archives / "acme/2026/01"
    month.mkdir(parents=True)
    with environment.filled("bench_prune", 100) as url:
        for count in (0, files):
            for number in range(count):
                os.close(os.open(month / f"018f0000-0000-7000-8000-{number:012x}.1.xlsx.zst", os.O_CREAT | os.O_WRONLY, 0o640))
            seconds, peak, said = prune(url, archives)
            print(f"{count:>9,} files: {seconds:6.1f} s, {peak:6.1f} MiB at the peak   ({said})", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
