"""The private PostgreSQL, the programs, and databases of demonstration data."""
import contextlib
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("BIN_DIR", ROOT / ".build/release"))
WRITER_BIN = ROOT / "Benchmarks/.build/release"
DAEMON = BIN / "adminexportd"
SOCKET_DIR, USER = os.environ["PG_SOCKET_DIR"], os.environ["PG_SUPERUSER"]
PG_BIN = pathlib.Path(os.environ["PG_BIN"])
SCRATCH = pathlib.Path(os.environ["SCRATCH"])
PSQL = [PG_BIN / "psql", "-X", "-q", "-h", SOCKET_DIR, "-U", USER, "-v", "ON_ERROR_STOP=1"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("ADMINEXPORT_")}
REPORT = "\n".join(line for line in (ROOT / "Benchmarks/report.sql").read_text().splitlines()
                   if not line.startswith("--")).replace(":tenant", "1")


def psql(database, sql, **environment):
    return subprocess.run([*PSQL, "-A", "-t", "-d", database, "-c", sql], check=True, capture_output=True, text=True,
                          env={**CLEAN, **environment}).stdout.strip()


def report(database, path=os.devnull, form="csv", work_mem="256MB"):
    """Writes the report with psql's COPY, and returns the seconds that this took."""
    start = time.monotonic()
    with open(path, "w") as sink:
        subprocess.run([*PSQL, "-d", database, "-c", f"COPY ({REPORT}) TO STDOUT (FORMAT {form})"], check=True, stdout=sink,
                       env={**CLEAN, "PGOPTIONS": f"-c work_mem={work_mem} -c jit=off"})
    return time.monotonic() - start


@contextlib.contextmanager
def filled(database, administrators, tenants=("acme",), small=()):
    """A database with that many administrators in each tenant, and a hundred in each small one. Yields the environment for programs
    that use it."""
    psql("postgres", f"CREATE DATABASE {database}")
    url = {"ADMINEXPORT_DATABASE_URL": f"postgresql:///{database}?host={SOCKET_DIR}&user={USER}"}
    try:
        subprocess.run([DAEMON, "migrate", "--with-directory"], check=True, env={**CLEAN, **url}, stdout=subprocess.DEVNULL)
        for tenant in (*tenants, *small):
            count = 100 if tenant in small else administrators
            subprocess.run([DAEMON, "demo-data", "--tenant", tenant, "--administrators", str(count), "--seed", "1"],
                           check=True, env={**CLEAN, **url}, stdout=subprocess.DEVNULL)
        psql(database, "CHECKPOINT")
        yield url
    finally:
        psql("postgres", f"DROP DATABASE {database} WITH (FORCE)")


@contextlib.contextmanager
def service(database, url, binaries=BIN, **settings):
    """A daemon on its own socket while the body runs. Yields the process and its socket."""
    archives, socket = SCRATCH / f"archives-{database}", SCRATCH / f"{database}.sock"
    archives.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [binaries / "adminexportd", "serve", "--socket", socket, "--archives", archives, "--log-level", "error"],
        env={**CLEAN, **url, **settings})
    try:
        end = time.monotonic() + 30
        while not socket.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        yield process, socket
    finally:
        process.terminate()
        process.wait(timeout=60)


def peak(process):
    """The process's peak of resident memory, in MiB."""
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM"))) / 1024


def cpu_seconds(*processes):
    """The CPU time of the processes and of PostgreSQL: of its processes that live, and of those that have ended."""
    server = int((pathlib.Path(os.environ["PG_DATA"]) / "postmaster.pid").read_text().split()[0])
    ticks = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # The process has ended.
        pid, parent, own, children = int(stat.parent.name), int(fields[1]), fields[11:13], fields[13:15]
        if pid == server or parent == server or pid in [process.pid for process in processes]:
            ticks += sum(map(int, own))
        if pid == server:
            ticks += sum(map(int, children))
    return ticks / os.sysconf("SC_CLK_TCK")


def program(name, source, *flags):
    """Compiles a C program of this folder. Returns None if that fails, for example because a library is missing."""
    target = SCRATCH / name
    done = subprocess.run(["cc", "-O2", "-Wall", "-o", target, ROOT / "Benchmarks" / source, *flags], capture_output=True,
                          text=True)
    return target if done.returncode == 0 else None
