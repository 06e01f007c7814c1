"""Measurements of whole exports, compared with psql's COPY of the same report and with other writers of workbooks."""
import json
import os
import subprocess
import sys
import time

from .environment import BIN, CLEAN, ROOT, SCRATCH, WRITER_BIN, filled, peak, program, psql, report, service
from .table import median


def export(database, socket, tenant="acme"):
    """Makes an export. Returns the seconds from export.start to the end according to the job's row, the rows, and the workbook's
    bytes."""
    client = {**CLEAN, "ADMINEXPORT_SOCKET": str(socket), "ADMINEXPORT_TENANT": tenant,
              "ADMINEXPORT_AS": f"owner@{tenant}.example"}
    job = json.loads(subprocess.run([BIN / "adminexport", "start", "--json"], check=True, env=client,
                                    capture_output=True).stdout)["id"]
    subprocess.run([BIN / "adminexport", "wait", job, "-q"], check=True, env=client, stdout=subprocess.DEVNULL)
    row = psql(database, f"SELECT extract(epoch FROM finished_at - created_at), rows, size FROM adminexport.job "
                         f"WHERE id = '{job}' AND state = 'succeeded'")
    seconds, rows, size = row.split("|")
    return float(seconds), int(rows), int(size)


# The compressors, and the setting of each.
KINDS = {"template": {}, "zlib": {"ADMINEXPORT_WORKBOOK_COMPRESSOR": "zlib"}}


def beside_copy(table, rounds, counts):
    """For each count, one export of each kind and one COPY in turn, so that a slow phase of the machine affects all of them."""
    per_row, peaks = {}, {}
    for count in counts:
        with filled(f"bench_{count}", count, small=("warm",)) as url:
            table.section(f"{count:,} administrators (medians of {rounds})")
            measure_count(table, rounds, count, url, per_row, peaks)
    compare_counts(table, per_row, peaks)


def measure_count(table, rounds, count, url, per_row, peaks):
    database = f"bench_{count}"
    times, copies, defaults, sizes, highest = {}, [], [], {}, {}
    rows = 0
    for _ in range(rounds):
        for kind, settings in KINDS.items():
            with service(database, url, **settings) as (process, socket):
                # Connections are open and the program is in memory when the clock starts.
                export(database, socket, "warm")
                seconds, rows, sizes[kind] = export(database, socket)
                times.setdefault(kind, []).append(seconds)
                highest[kind] = max(highest.get(kind, 0.0), peak(process))
        copies.append(report(database))
        defaults.append(report(database, work_mem="4MB"))
    copy, default = median(copies), median(defaults)
    table.line("COPY of the report as CSV, work_mem 256 MB, jit off", copy, "s", rows=rows)
    table.line("the same with work_mem 4 MB", default, "s")
    for kind in times:
        taken = median(times[kind])
        wanted = {"template": 0.45, "zlib": 0.65}[kind] if count == 1_000_000 else None
        table.line(f"export with {kind}", taken, "s", seconds=times[kind], workbook=f"{sizes[kind] / 1e6:.1f} MB")
        table.line(f"export with {kind} / COPY", taken / copy, "", ("<=", wanted) if wanted else None)
        table.line(f"export with {kind} / COPY with work_mem 4 MB", taken / default, "")
        table.line(f"peak memory, {kind}", highest[kind], "MiB", ("<=", 60) if count >= 1_000_000 else None)
        per_row.setdefault(kind, {})[count] = taken / rows * 1e6
        peaks.setdefault(kind, {})[count] = highest[kind]
    table.line("size of the workbook, template / zlib", sizes["template"] / sizes["zlib"], "",
               ("<=", 0.87) if count >= 1_000_000 else None)


def compare_counts(table, per_row, peaks):
    table.section("From count to count")
    for kind, times in per_row.items():
        least, most = min(times.values()), max(times.values())
        table.line(f"time per row, {kind}, greatest / least", most / least, "", ("<=", 1.15),
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
                with service("bench_options", url, **settings) as (_, socket):
                    seconds, _, sizes[name] = export("bench_options", socket)
                    times.setdefault(name, []).append(seconds)
    first = median(times["template"])
    for name, taken in times.items():
        table.line(name, median(taken), "s", ratio=median(taken) / first, size=f"{sizes[name] / 1e6:.1f} MB")


def beside_writers(table, rounds):
    """Compiled writers get a million rows in a file, slow ones 100,000. Our service reads the rows from the database."""
    libxlsxwriter = program("libxlsxwriter_rows", "libxlsxwriter_rows.c", "-lxlsxwriter")
    if libxlsxwriter is None:
        table.note("libxlsxwriter is not measured, because it is missing; run: apt-get install libxlsxwriter-dev")
    for count, names in ((1_000_000, ["libxlsxwriter", "rust_xlsxwriter"]), (100_000, ["XlsxWriter", "openpyxl"])):
        database = f"bench_writers_{count}"
        with filled(database, count) as url:
            rows = SCRATCH / "rows.tsv"
            report(database, rows, form="text")
            table.section(f"Other writers, {count:,} administrators, the rows in a file or in memory")
            measure_writers(table, rounds, database, url, rows, [name for name in names if name != "libxlsxwriter" or libxlsxwriter],
                            libxlsxwriter)


def measure_writers(table, rounds, database, url, rows, names, libxlsxwriter):
    times, sizes, highest = {}, {}, {}
    for _ in range(rounds):
        for kind, settings in KINDS.items():
            with service(database, url, **settings) as (process, socket):
                seconds, _, sizes[kind] = export(database, socket)
                times.setdefault(kind, []).append(seconds)
                highest[kind] = max(highest.get(kind, 0.0), peak(process))
        for name in names:
            found = other(name, rows, libxlsxwriter)
            if found is None:
                continue
            times.setdefault(name, []).append(found["seconds"])
            sizes[name], highest[name] = found["size"], max(highest.get(name, 0.0), found["peak"])
    with service(database, url, ADMINEXPORT_WORKBOOK_COMPRESSION_LEVEL="6") as (_, socket):
        _, _, size6 = export(database, socket)
    for kind in KINDS:
        table.line(f"export with {kind}, from the database", median(times[kind]), "s", size=f"{sizes[kind] / 1e6:.1f} MB",
                   peak=f"{highest[kind]:.0f} MiB")
    table.line("size at level 6", size6 / 1e6, "MB")
    for name in names:
        if name not in times:
            table.note(f"{name} is not measured, because it did not run")
            continue
        taken = median(times[name])
        table.line(f"{name}, from rows that are there", taken, "s", size=f"{sizes[name] / 1e6:.1f} MB",
                   peak=f"{highest[name]:.0f} MiB")
        is_peer = name == "libxlsxwriter"
        table.line(f"export with template / {name}", median(times["template"]) / taken, "", ("<=", 0.25) if is_peer else None)
        if is_peer:
            table.line("size at level 6 / libxlsxwriter's", size6 / sizes[name], "", ("<=", 1))


def other(name, rows, libxlsxwriter):
    """Writes the rows with another writer. Returns None if the writer is missing."""
    target = SCRATCH / "other.xlsx"
    if name == "libxlsxwriter":
        command = [libxlsxwriter, rows, target]
    else:
        python = ROOT / ".venv/bin/python3"
        command = [python if python.exists() else sys.executable, ROOT / "Benchmarks/benchmarks/python_writers.py", name, rows,
                   target]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - start
    if process.returncode != 0:
        return None
    found = {"seconds": float(said) if said.strip() else seconds, "size": target.stat().st_size,
             "peak": usage.ru_maxrss / 1024}
    target.unlink()
    return found


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
