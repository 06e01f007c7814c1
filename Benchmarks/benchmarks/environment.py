"""The private PostgreSQL, the programs, and databases of demonstration data."""
import contextlib
import os
import pathlib
import platform
import select
import shutil
import subprocess
import time
import typing

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
    done = subprocess.run([*PSQL, "-A", "-t", "-d", database, "-c", sql], capture_output=True, text=True,
                          env={**CLEAN, **environment})
    if done.returncode != 0:
        raise RuntimeError(f"psql failed: {done.stderr.strip()}")
    return done.stdout.strip()


class Usage(typing.NamedTuple):
    """What a program needed."""
    seconds: float
    # The CPU time of all processes that took part, in seconds.
    cores: float
    # The program's peak of resident memory, in MiB.
    peak: float


def measured(command, *others, **options):
    """Runs a program. Its CPU time includes that of PostgreSQL and of `others`, which are processes that go on."""
    begin, start, highest = cpu_seconds(*others), time.monotonic(), 0.0
    process = subprocess.Popen(command, **options)
    descriptor = os.pidfd_open(process.pid)
    try:
        while not select.select([descriptor], [], [], 0.01)[0]:
            highest = max(highest, peak(process))
    finally:
        os.close(descriptor)
    seconds = time.monotonic() - start
    # The process has ended, but /proc shows it until wait() has read its status.
    cores = cpu_seconds(process, *others) - begin
    if process.wait() != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Usage(seconds, cores, highest)


# For programs that run the report. With its defaults, PostgreSQL sorts on disk, and compiles the statement.
REPORT_OPTIONS = {"PGOPTIONS": "-c work_mem=256MB -c jit=off"}


def report(database, path=os.devnull, form="csv", **options):
    """Writes the report with psql's COPY, and returns its usage."""
    with open(path, "w") as sink:
        return measured([*PSQL, "-d", database, "-c", f"COPY ({REPORT}) TO STDOUT (FORMAT {form})"], stdout=sink,
                        env={**CLEAN, **(options or REPORT_OPTIONS)})


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
        # They belong to this database: a service refuses them with another one of the same name.
        shutil.rmtree(SCRATCH / f"archives-{database}", ignore_errors=True)


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
    # A process that has ended has no such line.
    return int(next((line.split()[1] for line in text.splitlines() if line.startswith("VmHWM")), 0)) / 1024


def cpu_seconds(*processes):
    """The CPU time of the processes and of PostgreSQL: of its processes that live, and of those that have ended."""
    server = int((pathlib.Path(os.environ["PG_DATA"]) / "postmaster.pid").read_text().split()[0])

    def ended():
        return sum(map(int, fields_of(pathlib.Path(f"/proc/{server}/stat"))[13:15]))

    while True:
        before, ticks = ended(), 0
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = fields_of(stat)
            except OSError:
                continue  # The process has ended.
            pid, parent = int(stat.parent.name), int(fields[1])
            if pid == server or parent == server or pid in [process.pid for process in processes]:
                ticks += sum(map(int, fields[11:13]))
        # Otherwise a session has ended meanwhile, and may be in both sums or in none.
        if ended() == before:
            return (before + ticks) / os.sysconf("SC_CLK_TCK")


def fields_of(stat):
    """The fields of a process in /proc after its name."""
    return stat.read_text().rsplit(")", 1)[1].split()


def program(name, source, *flags):
    """Compiles a C program of this folder. Returns None if that fails, for example because a library is missing."""
    target = SCRATCH / name
    done = subprocess.run(["cc", "-O2", "-Wall", "-o", target, ROOT / "Benchmarks" / source, *flags], capture_output=True,
                          text=True)
    return target if done.returncode == 0 else None


def machine():
    """What the figures depend on, by name."""
    def first(path, key):
        lines = pathlib.Path(path).read_text().splitlines()
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "unknown")

    server = psql("postgres", "SHOW server_version").split()[0]
    settings = [f"{name} {psql('postgres', f'SHOW {name}')}" for name in (
        "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "work_mem", "max_wal_size")]
    return {
        "processor": first("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": f"{int(first('/proc/meminfo', 'MemTotal').split()[0]) / 1024 / 1024:.0f} GiB",
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {'.'.join(platform.release().split('.')[:2])}",
        "PostgreSQL": f"{server} on the same machine, through its Unix socket; {', '.join(settings)}",
    }


def commit():
    """The commit of the work tree, with `-dirty` if files differ from it."""
    done = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
