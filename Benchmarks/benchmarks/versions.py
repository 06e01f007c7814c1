"""Measurements of these programs beside those of another version."""
import os
import pathlib

from .environment import BIN, filled, peak, psql, service
from .exports import export
from .small import TENANTS, WORKERS, load
from .table import median

LIMIT = 1.05


def measure(table, rounds):
    """Exports, small exports and export.get of both versions, in turn; the version that is first changes with each round. The programs
    in BEFORE_DIR have to understand the schema of these."""
    if "BEFORE_DIR" not in os.environ:
        raise SystemExit("Set BEFORE_DIR to the folder of the programs to compare with")
    versions = {"before": pathlib.Path(os.environ["BEFORE_DIR"]).resolve(), "now": BIN}
    table.section(f"These programs beside those in BEFORE_DIR (medians of {rounds})")
    for count in (100_000, 1_000_000):
        with filled(f"bench_{count}", count, small=("warm",)) as url:
            whole_exports(table, rounds, count, url, versions)
    with filled("bench_small", 100, TENANTS) as url:
        small_exports(table, rounds, url, versions)
        gets(table, rounds, url, versions)


def turns(rounds, versions):
    names = list(versions)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            yield name, versions[name]


def compare(table, name, figures, unit, is_rate=False):
    """The median of each version, and the median of the rounds' ratios, as times: the two figures of a round were measured in turn."""
    for version in ("before", "now"):
        table.line(f"{name}, {version}", median(figures[version]), unit, all=[round(figure, 3) for figure in figures[version]])
    pairs = zip(figures["before"], figures["now"])
    table.line(f"{name}, now / before", median([before / now if is_rate else now / before for before, now in pairs]), "", ("<=", LIMIT))


def whole_exports(table, rounds, count, url, versions):
    database = f"bench_{count}"
    times, cores, peaks, sizes = ({name: [] for name in versions} for _ in range(4))
    for name, binaries in turns(rounds, versions):
        with service(database, url, binaries) as (process, socket):
            export(database, process, socket, "warm")
            made = export(database, process, socket)
            cores[name].append(made.cores)
            times[name].append(made.seconds)
            sizes[name].append(made.size / 1e6)
            peaks[name].append(peak(process))
    compare(table, f"{count:,} administrators", times, "s")
    compare(table, f"{count:,} administrators, core-seconds with PostgreSQL", cores, "s")
    compare(table, f"{count:,} administrators, size of the workbook", sizes, "MB")
    compare(table, f"{count:,} administrators, peak memory", peaks, "MiB")


def small_exports(table, rounds, url, versions):
    latencies, rates = {name: [] for name in versions}, {name: [] for name in versions}
    for name, binaries in turns(rounds, versions):
        with service("bench_small", url, binaries, ADMINEXPORT_WORKERS=str(WORKERS)) as (_, socket):
            load("exports", socket, 8, 1, *TENANTS)  # warm
            latencies[name].append(load("exports", socket, 1, 3, TENANTS[0])["p50"])
            rates[name].append(load("exports", socket, 8, 4, *TENANTS)["perSecond"])
    compare(table, "100 administrators, one caller, p50", latencies, "ms")
    compare(table, "100 administrators, eight callers, exports a second", rates, "/s", is_rate=True)


def gets(table, rounds, url, versions):
    rates = {(name, callers): [] for name in versions for callers in (1, 8)}
    job = psql("bench_small", "SELECT id FROM adminexport.job WHERE state = 'succeeded' LIMIT 1")
    tenant = psql("bench_small", f"SELECT tenant_slug FROM adminexport.job WHERE id = '{job}'")
    for name, binaries in turns(rounds, versions):
        with service("bench_small", url, binaries) as (_, socket):
            load("get", socket, 8, 1, tenant, job)
            for callers in (1, 8):
                rates[name, callers].append(load("get", socket, callers, 3, tenant, job)["perSecond"])
    for callers in (1, 8):
        compare(table, f"export.get, {callers} at a time", {name: rates[name, callers] for name in versions}, "/s", is_rate=True)
