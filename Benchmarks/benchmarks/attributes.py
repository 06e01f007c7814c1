"""Measurements of exports with further columns, and of signed ones, compared with exports that have none of this."""
import os
import pathlib
import subprocess

from .environment import BIN, SCRATCH, filled, peak, psql, service
from .exports import export
from .table import median
from .versions import turns

COUNT = 1_000_000
#: How much longer an export with five further columns may take.
LIMIT = 1.4

COLUMNS = [("job_title", "text", "text"), ("hired", "date", "date"), ("last_sign_in", "timestamptz", "datetime"),
           ("mfa_enabled", "boolean", "boolean"), ("roles", "text[]", "list")]


def measure(table, rounds):
    """
    Exports with one further column of each type, without, and without but signed, in turn; with BEFORE_DIR, also those of
    other programs, without.
    """
    configuration = SCRATCH / "attributes.yaml"
    configuration.write_text("attributes:\n" + "".join(
        f"- {{column: {column}, title: {column.replace('_', ' ')}, type: {kind}}}\n" for column, _, kind in COLUMNS))
    versions = {"none": (BIN, {}), "five": (BIN, {"ADMINEXPORT_CONFIG": str(configuration)}),
                "signed": (BIN, signing_key())}
    if "BEFORE_DIR" in os.environ:
        versions["before"] = (pathlib.Path(os.environ["BEFORE_DIR"]).resolve(), {})
    database = f"bench_{COUNT}"
    with filled(database, COUNT, small=("warm",)) as url:
        add_columns(database)
        figures = {name: {"s": [], "core-s": [], "MB": [], "MiB": []} for name in versions}
        for name, (binaries, settings) in turns(rounds, versions):
            with service(database, url, binaries, **settings) as (process, socket):
                export(database, process, socket, "warm")
                made = export(database, process, socket)
                for unit, value in zip(figures[name], (made.seconds, made.cores, made.size / 1e6, peak(process))):
                    figures[name][unit].append(value)
    table.section(f"{COUNT:,} administrators with five further columns, one of each type (medians of {rounds})")
    names = {"none": "no further column", "five": "five further columns", "signed": "no further column, signed",
             "before": "programs of BEFORE_DIR"}
    for name, units in figures.items():
        for unit, values in units.items():
            table.line(names[name], median(values), unit, all=[round(value, 2) for value in values])
    ratio(table, "five further columns / none", figures["five"], figures["none"], LIMIT)
    ratio(table, "signed / none", figures["signed"], figures["none"], 1.05)
    if "before" in figures:
        ratio(table, "none / programs of BEFORE_DIR", figures["none"], figures["before"], 1.05)


def signing_key():
    """The settings with which a daemon signs receipts."""
    credentials, keys = SCRATCH / "credentials", SCRATCH / "keys"
    credentials.mkdir()
    subprocess.run([BIN / "adminexportd", "make-key", "--private", credentials / "signing-key", "--public", keys],
                   check=True, stdout=subprocess.DEVNULL)
    return {"CREDENTIALS_DIRECTORY": str(credentials), "ADMINEXPORT_SIGNING_PUBLIC_KEYS": str(keys)}


def ratio(table, name, these, others, limit):
    """The median of the rounds' ratios: the two figures of a round were measured in turn."""
    for unit, words in (("s", "time"), ("core-s", "core-seconds with PostgreSQL")):
        table.line(f"{name}, {words}", median([one / other for one, other in zip(these[unit], others[unit])]), "", ("<=", limit))


def add_columns(database):
    added = ", ".join(f"ADD {column} {kind}" for column, kind, _ in COLUMNS)
    psql(database, f"ALTER TABLE directory.administrator {added}")
    psql(database, """UPDATE directory.administrator SET job_title = 'Engineer of group ' || id % 997, hired = date '2000-01-01' + (id % 9000)::int,
        last_sign_in = timestamptz '2026-11-01 00:00Z' - id % 8000000 * interval '1 second',
        mfa_enabled = CASE WHEN id % 10 > 0 THEN id % 3 > 0 END, roles = ARRAY['role ' || id % 7, 'role ' || id % 11]""")
    psql(database, f"GRANT SELECT ({', '.join(column for column, _, _ in COLUMNS)}) ON directory.administrator TO adminexport_worker")
    psql(database, "VACUUM (FULL, ANALYZE) directory.administrator")
