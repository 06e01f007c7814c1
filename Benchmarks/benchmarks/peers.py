"""A whole export beside other programs that make a workbook of the same report, from PostgreSQL to the file."""
import json
import subprocess
import sys

from .environment import BIN, CLEAN, REPORT, REPORT_OPTIONS, ROOT, SCRATCH, filled, measured, peak, report, service
from .peer_programs import PEERS
from .table import median

PYTHON = ROOT / ".venv/bin/python3"
PROGRAM = [PYTHON if PYTHON.exists() else sys.executable, ROOT / "Benchmarks/benchmarks/peer_programs.py"]
COUNT = 300_000
OURS, COPY = "adminexport run", "psql, COPY as CSV"


def measure(table, rounds):
    """All peers in turn. They get the same settings of their sessions as psql: 256 MB to sort, and no compilation."""
    table.section(f"From PostgreSQL to a workbook, {COUNT:,} administrators (medians of {rounds})")
    versions = {name: said for name in PEERS if (said := version(table, name))}
    usages, sizes, compared = {name: [] for name in (OURS, COPY, *versions)}, {}, {}
    statement, csv, path = SCRATCH / "report.sql", SCRATCH / "report.csv", SCRATCH / "peer.xlsx"
    statement.write_text(REPORT)
    with filled("bench_peers", COUNT, small=("warm",)) as url:
        for _ in range(rounds):
            with service("bench_peers", url) as (process, socket):
                run(process, socket, "warm", path)
                usages[OURS].append(run(process, socket, "acme", path))
            sizes[OURS] = path.stat().st_size
            usages[COPY].append(report("bench_peers", csv))
            sizes[COPY] = csv.stat().st_size
            if OURS not in compared:
                compared[OURS] = compare(csv, path, "quoted")
            for name in list(versions):
                path.unlink(missing_ok=True)
                try:
                    usages[name].append(make(name, url, statement, path))
                except RuntimeError as error:
                    table.note(f"{name} is not measured, because it failed: {error}")
                    del versions[name], usages[name]
                    continue
                sizes[name] = path.stat().st_size
                if name not in compared:
                    compared[name] = compare(csv, path)
    for name, found in compared.items():
        if found["differing"]:
            expected, text = (json.dumps(text, ensure_ascii=False)[:60] for text in found["example"])
            table.note(f"{name} made {found['rows']:,} rows, of which {found['differing']:,} differ from the report; "
                       f"the first has `{text}` instead of `{expected}`")
    show(table, usages, sizes, versions, compared)


def show(table, usages, sizes, versions, compared):
    first = {part: median([getattr(usage, part) for usage in usages[OURS]]) for part in ("seconds", "cores")}
    grid = []
    for name, found in usages.items():
        seconds, cores = (median([getattr(usage, part) for usage in found]) for part in ("seconds", "cores"))
        highest = max(usage.peak for usage in found)
        table.line(name, seconds, "s", all=[usage.seconds for usage in found], cores=[usage.cores for usage in found])
        differing = compared[name]["differing"] if name in compared else None
        grid.append([name, seconds, seconds / first["seconds"], cores, cores / first["cores"], highest, sizes[name] / 1e6,
                     differing])
    titles = ["program", "s", "s / adminexport", "core-s", "core-s / adminexport", "peak MiB", "MB", "rows that differ"]
    table.grid(f"From PostgreSQL to a file of {compared[OURS]['rows']:,} rows", titles, sorted(grid, key=lambda row: row[1]))
    table.note("Versions: " + "; ".join(f"{name} ({said})" for name, said in versions.items()))


def version(table, name):
    """The versions of the peer's libraries, or None if one of them is missing."""
    done = subprocess.run([*PROGRAM, "versions", name], capture_output=True, text=True)
    if done.returncode != 0:
        table.note(f"{name} is not measured: {done.stderr.strip().splitlines()[-1]}")
        return None
    return done.stdout.strip()


def run(process, socket, tenant, path):
    """An export with the command line, until the file is there. The peak is that of the service."""
    client = {**CLEAN, "ADMINEXPORT_SOCKET": str(socket), "ADMINEXPORT_TENANT": tenant,
              "ADMINEXPORT_AS": f"owner@{tenant}.example"}
    usage = measured([BIN / "adminexport", "run", "--quiet", "--force", "--output", path], process, env=client,
                     stdout=subprocess.DEVNULL)
    return usage._replace(peak=peak(process))


def make(name, url, statement, path):
    said = SCRATCH / "peer.err"
    try:
        with open(said, "w") as sink:
            command = [*PROGRAM, "make", name, url["ADMINEXPORT_DATABASE_URL"], statement, path]
            return measured(command, stdout=sink, stderr=sink, env={**CLEAN, **REPORT_OPTIONS})
    except subprocess.CalledProcessError:
        raise RuntimeError((said.read_text().strip().splitlines() or ["it said nothing"])[-1]) from None


def compare(csv, path, *quoting):
    """Compares a workbook, as another program reads it, with the rows of psql."""
    done = subprocess.run([*PROGRAM, "compare", csv, path, *quoting], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)
