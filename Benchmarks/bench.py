#!/usr/bin/env python3
"""Compare the speed and the memory of the service with other programs, in one run on one machine.

Run the program through Scripts/postgres.sh, which starts a private PostgreSQL with its defaults (fsync, synchronous_commit
and full_page_writes on). It prints tables and writes the figures to a JSON file.

usage: Scripts/postgres.sh Benchmarks/bench.py [--rounds N] [--json FILE] [SECTION…]

exports   a whole export, compared with psql's COPY of Benchmarks/report.sql as CSV, with 10,000, 100,000, 1,000,000 and
          3,000,000 administrators; peak memory (VmHWM); time per row
peers     a whole export, compared with polars, psycopg and DuckDB that make a workbook of the same report, with 300,000
          administrators
writers   libxlsxwriter, rust_xlsxwriter, XlsxWriter and openpyxl with the same rows; sizes of the files
writer    the service's workbook writer alone: cells a second, compared with zlib on the same bytes
small     exports of 100 administrators: latency and throughput
get       export.get, compared with pgbench -S
idle      the time of a start, and the load of an idle service
growth    the cost of a claim and of a job while 100, 1,000 and 10,000 tenants wait
history   the cost of a claim, of a start and of a page of a list after 10,000, 100,000 and 1,000,000 finished jobs
levels    an export of a million administrators with each option for the file (only if you name this section)
attributes
          an export of a million administrators with five further columns, and a signed one, compared with one without and
          with the programs in BEFORE_DIR (only if you name this section)
before    exports, small exports and export.get, compared with the programs in BEFORE_DIR (only if you name this section)

Each figure is the median of N rounds (default: 3). The program measures the compared programs in turn. It prints the names of
programs that are missing. A section replaces its figures in FILE (default: .build/bench.json) and keeps those of others, so that
a run can be made in parts. Benchmarks/page.py writes them into BENCHMARKS.md.

"Core-seconds" are the CPU time of all processes: of the service and its client or of the program beside it, and of PostgreSQL.
"""
import argparse
import pathlib
import time

from benchmarks import attributes, exports, growth, history, peers, small, versions
from benchmarks.environment import ROOT, commit, machine
from benchmarks.table import Table

SECTIONS = {
    "exports": lambda table, rounds: exports.beside_copy(table, rounds, (10_000, 100_000, 1_000_000, 3_000_000)),
    "peers": peers.measure,
    "writers": exports.beside_writers,
    "writer": exports.writer,
    "small": small.exports,
    "get": small.gets,
    "idle": small.idle,
    "growth": growth.measure,
    "history": history.measure,
    "levels": exports.levels,
    "attributes": attributes.measure,
    "before": versions.measure,
}
# Sections that run only if they are named.
EXTRA = {"levels", "attributes", "before"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / ".build/bench.json")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"unknown section {', '.join(unknown)}; the sections are {', '.join(SECTIONS)}")
    facts = machine()
    print(f"{'; '.join(f'{name}: {value}' for name, value in facts.items())}; medians of {arguments.rounds} rounds")
    table = Table(arguments.json, facts, commit(), arguments.rounds)
    for name in arguments.sections or [name for name in SECTIONS if name not in EXTRA]:
        begin = time.monotonic()
        table.begin(name)
        SECTIONS[name](table, arguments.rounds)
        table.save()
        print(f"\n{name} took {time.monotonic() - begin:.0f} s", flush=True)
    print(f"\nThe figures as JSON: {arguments.json}")


if __name__ == "__main__":
    main()
