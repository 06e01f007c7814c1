#!/usr/bin/env python3
"""Measure the service beside its peers, in one run, on one machine: a table on stdout, and JSON.

Called through Scripts/postgres.sh, which starts a private PostgreSQL with its defaults (fsync, synchronous_commit and
full_page_writes on).

usage: Scripts/postgres.sh Benchmarks/bench.py [--rounds N] [--json FILE] [SECTION…]

exports   an export end to end beside psql's COPY of Benchmarks/report.sql as CSV, at 100,000, 1,000,000 and 3,000,000
          administrators; peak memory (VmHWM); time per row
writers   libxlsxwriter, rust_xlsxwriter, XlsxWriter and openpyxl, fed the same rows; sizes
writer    our writer alone: cells a second, and zlib's own speed on the same bytes
small     exports of 100 administrators: latency and throughput
get       export.get beside pgbench -S
idle      start-up, and what a service costs that has nothing to do
levels    a million exported with each way to make the file (not part of a run without sections)

Each figure is the median of N rounds (3 without another word), and what is compared is measured in turn. Others that cannot be
had are named. Programs with ISA-L are measured too where `make bench` has built them.
"""
import argparse
import os
import pathlib

from benchmarks import exports, small
from benchmarks.environment import ROOT, psql
from benchmarks.table import Table

SECTIONS = {
    "exports": lambda table, rounds: exports.beside_copy(table, rounds, (100_000, 1_000_000, 3_000_000)),
    "writers": exports.beside_writers,
    "writer": exports.writer,
    "small": small.exports,
    "get": small.gets,
    "idle": small.idle,
    "levels": exports.levels,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench.json")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"there is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    settings = {name: psql("postgres", f"SHOW {name}")
                for name in ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")}
    table = Table()
    table.note(f"PostgreSQL {settings.pop('server_version')} ({', '.join(f'{key} {value}' for key, value in settings.items())}), "
               f"{os.cpu_count()} cores, medians of {arguments.rounds} rounds")
    for name in arguments.sections or [name for name in SECTIONS if name != "levels"]:
        SECTIONS[name](table, arguments.rounds)
        table.save(arguments.json)
    print(f"\nAs JSON: {arguments.json}")


if __name__ == "__main__":
    main()
