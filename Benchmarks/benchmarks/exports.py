"""Measurements of whole exports, compared with psql's COPY of the same report and with other writers of workbooks."""
import json
import os
import subprocess
import sys
import typing

from .environment import (
    BIN, CLEAN, ROOT, SCRATCH, WRITER_BIN, Usage, cpu_seconds, filled, measured, peak, program, psql, report, service)
from .table import median


class Export(typing.NamedTuple):
    # From export.start to the end, according to the job's row.
    seconds: float
    # The CPU time of the service, of PostgreSQL and of the client, in seconds.
    cores: float
    rows: int
    # The workbook's bytes.
    size: int


def ended():
    """The CPU time of the programs that this one has run and that have ended, in seconds."""
    return sum(os.times()[2:4])


def export(database, process, socket, tenant="acme"):
    """Makes an export with the service of that process."""
    client = {**CLEAN, "ADMINEXPORT_SOCKET": str(socket), "ADMINEXPORT_TENANT": tenant,
              "ADMINEXPORT_AS": f"owner@{tenant}.example"}
    begin = cpu_seconds(process) + ended()
    job = json.loads(subprocess.run([BIN / "adminexport", "start", "--json"], check=True, env=client,
                                    capture_output=True).stdout)["id"]
    subprocess.run([BIN / "adminexport", "wait", job, "-q"], check=True, env=client, stdout=subprocess.DEVNULL)
    cores = cpu_seconds(process) + ended() - begin
    row = psql(database, f"SELECT extract(epoch FROM finished_at - created_at), rows, size FROM adminexport.job "
                         f"WHERE id = '{job}' AND state = 'succeeded'")
    seconds, rows, size = row.split("|")
    return Export(float(seconds), cores, int(rows), int(size))


# The compressors, and the setting of each.
KINDS = {"template": {}, "zlib": {"ADMINEXPORT_WORKBOOK_COMPRESSOR": "zlib"}}


def beside_copy(table, rounds, counts):
    """For each count, one export of each kind and one COPY in turn, so that a slow phase of the machine affects all of them."""
    per_row, peaks, rows = {}, {}, []
    for count in counts:
        with filled(f"bench_{count}", count, small=("warm",)) as url:
            table.section(f"{count:,} administrators (medians of {rounds})")
            rows.append(measure_count(table, rounds, count, url, per_row, peaks))
    compare_counts(table, per_row, peaks)
    table.grid("Exports compared with COPY", [
        "administrators", "rows", "export, s", "COPY, s", "export / COPY", "export, µs a row", "export, core-s", "COPY, core-s",
        "export, peak MiB", "workbook, MB", "CSV, MB"], rows)


def measure_count(table, rounds, count, url, per_row, peaks):
    database = f"bench_{count}"
    made, highest, copies, defaults = {kind: [] for kind in KINDS}, dict.fromkeys(KINDS, 0.0), [], []
    csv = SCRATCH / "report.csv"
    for _ in range(rounds):
        for kind, settings in KINDS.items():
            with service(database, url, **settings) as (process, socket):
                # Connections are open and the program is in memory when the clock starts.
                export(database, process, socket, "warm")
                made[kind].append(export(database, process, socket))
                highest[kind] = max(highest[kind], peak(process))
        copies.append(report(database))
        # For three million administrators, it takes half a minute.
        if count <= 1_000_000:
            defaults.append(report(database, PGOPTIONS="-c jit=off"))
    report(database, csv)
    csv_size = csv.stat().st_size
    csv.unlink()
    copy, copy_cores = (median([getattr(usage, name) for usage in copies]) for name in ("seconds", "cores"))
    default = median([usage.seconds for usage in defaults]) if defaults else None
    rows, sizes = made["template"][0].rows, {kind: made[kind][0].size for kind in KINDS}
    table.line("COPY of the report as CSV, work_mem 256 MB, jit off", copy, "s", rows=rows)
    table.line("the same, core-seconds with PostgreSQL", copy_cores, "s")
    if default:
        table.line("the same with work_mem 4 MB", default, "s")
    for kind, exports in made.items():
        taken, cores = (median([getattr(each, name) for each in exports]) for name in ("seconds", "cores"))
        wanted = {"template": 0.45, "zlib": 0.65}[kind] if count == 1_000_000 else None
        table.line(f"export with {kind}", taken, "s", seconds=[each.seconds for each in exports],
                   workbook=f"{sizes[kind] / 1e6:.1f} MB")
        table.line(f"export with {kind}, core-seconds with PostgreSQL", cores, "s", all=[each.cores for each in exports])
        table.line(f"export with {kind} / COPY", taken / copy, "", ("<=", wanted) if wanted else None)
        table.line(f"export with {kind} / COPY, core-seconds", cores / copy_cores, "")
        if default:
            table.line(f"export with {kind} / COPY with work_mem 4 MB", taken / default, "")
        table.line(f"peak memory, {kind}", highest[kind], "MiB", ("<=", 60) if count >= 1_000_000 else None)
        per_row.setdefault(kind, {})[count] = taken / rows * 1e6
        peaks.setdefault(kind, {})[count] = highest[kind]
    table.line("size of the workbook, template / zlib", sizes["template"] / sizes["zlib"], "",
               ("<=", 0.87) if count >= 1_000_000 else None)
    taken, cores = (median([getattr(each, name) for each in made["template"]]) for name in ("seconds", "cores"))
    return [count, rows, taken, copy, taken / copy, taken / rows * 1e6, cores, copy_cores, highest["template"],
            sizes["template"] / 1e6, csv_size / 1e6]


def compare_counts(table, per_row, peaks):
    table.section("From count to count")
    for kind, times in per_row.items():
        # The time of a start is a part of the time of a small export.
        large = [value for count, value in times.items() if count >= 100_000]
        if len(large) > 1:
            table.line(f"time per row from 100,000 on, {kind}, greatest / least", max(large) / min(large), "", ("<=", 1.15),
                       microseconds=[round(value, 2) for value in times.values()])
        large = [value for count, value in peaks[kind].items() if count >= 1_000_000]
        if len(large) > 1:
            table.line(f"peak memory from a million on, {kind}, greatest / least", max(large) / min(large), "", ("<=", 1.1))


def levels(table, rounds):
    """An export of a million administrators with each option for the file."""
    ways = list(KINDS.items()) + [(f"level {level}", {"ADMINEXPORT_WORKBOOK_COMPRESSION_LEVEL": str(level)})
                                 for level in (1, 3, 6, 9)]
    ways.append(("no cell references", {"ADMINEXPORT_WORKBOOK_CELL_REFERENCES": "false"}))
    table.section("1,000,000 administrators, each way to make the file")
    times, sizes = {}, {}
    with filled("bench_options", 1_000_000) as url:
        for _ in range(rounds):
            for name, settings in ways:
                with service("bench_options", url, **settings) as (process, socket):
                    made = export("bench_options", process, socket)
                    times.setdefault(name, []).append(made.seconds)
                    sizes[name] = made.size
    first = median(times["template"])
    for name, taken in times.items():
        table.line(name, median(taken), "s", ratio=median(taken) / first, size=f"{sizes[name] / 1e6:.1f} MB")


def beside_writers(table, rounds):
    """Compiled writers get a million rows in a file, slow ones 100,000. Our service reads the rows from the database."""
    libxlsxwriter = program("libxlsxwriter_rows", "libxlsxwriter_rows.c", "-lxlsxwriter")
    for count, names in ((1_000_000, ["libxlsxwriter", "rust_xlsxwriter"]), (100_000, ["XlsxWriter", "openpyxl"])):
        database = f"bench_writers_{count}"
        with filled(database, count) as url:
            rows = SCRATCH / "rows.tsv"
            report(database, rows, form="text")
            table.section(f"Other writers, {count:,} administrators, the rows in a file or in memory")
            if "libxlsxwriter" in names and libxlsxwriter is None:
                table.note("libxlsxwriter is not measured, because it is missing; run: apt-get install libxlsxwriter-dev")
                names.remove("libxlsxwriter")
            measure_writers(table, rounds, database, url, rows, names, libxlsxwriter)


def measure_writers(table, rounds, database, url, rows, names, libxlsxwriter):
    usages, sizes, count = {}, {}, 0
    for _ in range(rounds):
        for kind, settings in KINDS.items():
            with service(database, url, **settings) as (process, socket):
                made = export(database, process, socket)
                usages.setdefault(kind, []).append(Usage(made.seconds, made.cores, peak(process)))
                sizes[kind], count = made.size, made.rows
        for name in names:
            found = other(name, rows, libxlsxwriter)
            if found is not None:
                usages.setdefault(name, []).append(found[0])
                sizes[name] = found[1]
    with service(database, url, ADMINEXPORT_WORKBOOK_COMPRESSION_LEVEL="6") as (process, socket):
        size6 = export(database, process, socket).size
    grid = []
    first = median([usage.seconds for usage in usages["template"]])
    for name in (*KINDS, *names):
        if name not in usages:
            table.note(f"{name} is not measured, because it did not run")
            continue
        seconds, cores = (median([getattr(usage, part) for usage in usages[name]]) for part in ("seconds", "cores"))
        highest = max(usage.peak for usage in usages[name])
        is_ours = name in KINDS
        table.line(f"export with {name}, from the database" if is_ours else f"{name}, from rows that are there", seconds, "s",
                   cores=cores, size=f"{sizes[name] / 1e6:.1f} MB", peak=f"{highest:.0f} MiB")
        grid.append([f"adminexport, {name}, from the database" if is_ours else name, seconds, cores, highest, sizes[name] / 1e6])
        is_peer = name == "libxlsxwriter"
        if not is_ours:
            table.line(f"export with template / {name}", first / seconds, "", ("<=", 0.25) if is_peer else None)
        if is_peer:
            table.line("size at level 6 / libxlsxwriter's", size6 / sizes[name], "", ("<=", 1))
    table.line("size at level 6", size6 / 1e6, "MB")
    table.grid(f"Workbooks of {count:,} rows", ["writer", "s", "core-s", "peak MiB", "MB"], grid)


def other(name, rows, libxlsxwriter):
    """Writes the rows with another writer. Returns its usage and the workbook's bytes, or None if the writer is missing."""
    target = SCRATCH / "other.xlsx"
    if name == "libxlsxwriter":
        command = [libxlsxwriter, rows, target]
    else:
        python = ROOT / ".venv/bin/python3"
        command = [python if python.exists() else sys.executable, ROOT / "Benchmarks/benchmarks/python_writers.py", name, rows,
                   target]
    said = SCRATCH / "other.out"
    try:
        with open(said, "w") as sink:
            usage = measured(command, stdout=sink, stderr=subprocess.DEVNULL)
    except subprocess.CalledProcessError:
        return None
    if text := said.read_text().strip():
        # A program in Python reads the rows before it starts its clock.
        usage = Usage(*map(float, text.split()), usage.peak)
    size = target.stat().st_size
    target.unlink()
    return usage, size


def writer(table, rounds):
    """The workbook writer alone, on one thread, on rows in memory."""
    bench = WRITER_BIN / "xlsxbench"
    with filled("bench_writer", 1_000_000) as _:
        rows = SCRATCH / "rows.tsv"
        report("bench_writer", rows, form="text")
    table.section(f"The writer alone, one thread, 899,893 rows of 10 cells in memory, shared strings on (medians of {rounds})")
    plain, level1, template, zlib = [], [], [], []
    sheet = SCRATCH / "plain.xlsx"
    for number in range(rounds):
        keep = ["--output", sheet] if number == 0 else []
        plain.append(run_writer([bench, rows, "--level", "0", *keep]))
        level1.append(run_writer([bench, rows, "--level", "1"]))
        template.append(run_writer([bench, rows]))
        zlib.append(deflate_alone(sheet))
    table.line("cells a second without compression", median([found["cellsPerSecond"] for found in plain]) / 1e6, "M/s", (">=", 15))
    table.line("cells a second with zlib 1", median([found["cellsPerSecond"] for found in level1]) / 1e6, "M/s")
    table.line("cells a second with template", median([found["cellsPerSecond"] for found in template]) / 1e6, "M/s", (">=", 7))
    base, one, ours = (median([found["cpuSeconds"] for found in kind]) for kind in (plain, level1, template))
    # Without compression the writer makes the same XML and computes its CRC.
    table.line("compression alone, CPU time, zlib 1 / template", (one - base) / (ours - base), "", (">=", 2.7))
    table.line("size, template / zlib 1", template[0]["bytes"] / level1[0]["bytes"], "", ("<=", 0.85))
    alone = median(zlib)
    table.line("zlib 1 alone on those bytes", alone, "s")
    table.line("the writer with zlib 1 / zlib 1 alone", median([found["seconds"] for found in level1]) / alone, "", ("<=", 1.15))
    counter = program("mallocs.so", "mallocs.c", "-shared", "-fPIC")
    if counter:
        allocations(table, counter, rows)


def run_writer(command, rounds=1, **environment):
    return json.loads(subprocess.run([*command, "--rounds", str(rounds)], check=True, capture_output=True, text=True,
                                     env={**CLEAN, **environment}).stdout)


def allocations(table, counter, rows):
    """The number of allocations for the second workbook of a process."""
    told = SCRATCH / "mallocs"
    counts = []
    for rounds in (1, 2):
        found = run_writer([WRITER_BIN / "xlsxbench", rows], rounds, LD_PRELOAD=str(counter), MALLOCS=str(told))
        counts.append(int(told.read_text()))
    table.line("allocations of a workbook, all in all", counts[1] - counts[0], "", rows=found["rows"])


def deflate_alone(workbook):
    """The seconds that zlib's level 1 takes for the sheet's XML, in a separate process, so that the memory of this process does not
    matter."""
    return float(subprocess.run([sys.executable, ROOT / "Benchmarks/benchmarks/deflate.py", workbook], check=True,
                                capture_output=True, text=True).stdout)
