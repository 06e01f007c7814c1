"""The service for one scenario: a database, archives, processes that serve and work, callers, and the checks at the end."""
import base64
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BIN_DIR", ".build/debug")).resolve()
SCRATCH = pathlib.Path(os.environ["SCRATCH"])
SUPERUSER = os.environ["PG_SUPERUSER"]
FINAL = {"succeeded", "failed", "cancelled", "expired"}


class Skip(Exception):
    """The scenario cannot run on this machine; the text gives the reason."""


def until(what, condition, seconds=60, pause=0.02):
    """Calls the condition until its result is true, and returns the result."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < end, f"did not happen within {seconds} s: {what}"
        time.sleep(pause)


class Cluster:
    """The private PostgreSQL that Scripts/postgres.sh started."""
    sockets = os.environ["PG_SOCKET_DIR"]
    data = os.environ["PG_DATA"]
    programs = os.environ["PG_BIN"]

    def sql(self, text, database="postgres", user=SUPERUSER, host=None):
        """Runs SQL, and returns the rows as lists of texts."""
        done = subprocess.run(
            [f"{self.programs}/psql", "-h", str(host or self.sockets), "-U", user, "-d", database, "-v", "ON_ERROR_STOP=1", "-qAtX",
             "-F", "\x1f", "-f", "-"], input=text, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def control(self, *arguments):
        command = [f"{self.programs}/pg_ctl", "-D", self.data, "-w", *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self, mode):
        self.control("-m", mode, "stop")

    def start(self):
        self.control("-t", "60", "-l", f"{self.sockets}/log", "-o", f"-c listen_addresses='' -k '{self.sockets}'", "start")


class RPCFault(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.kind = error["data"]["kind"]
        self.data = error["data"]


class Caller:
    """One connection to the service."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(90)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rwb")

    def call(self, method, **params):
        self.lines.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        self.lines.flush()
        line = self.lines.readline()
        if not line:
            raise ConnectionError("the service closed the connection")
        reply = json.loads(line)
        if "error" in reply:
            raise RPCFault(reply["error"])
        return reply["result"]

    def close(self):
        self.lines.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Process:
    """A program of the service, with its log."""

    def __init__(self, arguments, environment, log, program=None, listening=None):
        """With `listening` the program gets that socket as systemd passes one (sd_listen_fds(3))."""
        self.log_path = log
        command = [str(program or BIN / "adminexportd"), *arguments]
        if listening:
            command = ["bash", "-c", 'exec 3<&"$0"; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', str(listening.fileno()), *command]
        self.process = subprocess.Popen(
            command, env=environment, stderr=open(log, "ab"), stdout=subprocess.DEVNULL,
            pass_fds=(listening.fileno(),) if listening else ())

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def is_stopped(self):
        """Whether the process has suspended itself at a step."""
        assert self.process.poll() is None, f"a worker ended unexpectedly:\n{self.log}"
        return pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"

    def end(self):
        """Stops the process as a service manager does."""
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"a process did not stop:\n{self.log}")


class System:
    """A database with tenants, a folder of archives, and the processes that a scenario starts."""
    numbers = iter(range(1, 1_000))

    def __init__(self, cluster, tenants=("acme",), administrators=300, **settings):
        self.cluster = cluster
        self.name = f"chaos_{next(self.numbers)}"
        self.folder = SCRATCH / self.name
        self.archives = self.folder / "archives"
        self.stops = self.folder / "stops"
        self.socket = self.folder / "s"
        self.settings = {key: str(value) for key, value in settings.items()}
        self.processes = []
        self.keys = {"CREDENTIALS_DIRECTORY": str(self.folder / "credentials"),
                     "ADMINEXPORT_SIGNING_PUBLIC_KEYS": str(self.folder / "keys")}
        # Whether all processes are of this version, and so sign receipts.
        self.signs = True
        self.accepted = set()
        self.lock = threading.Lock()
        for folder in (self.archives, self.stops):
            folder.mkdir(parents=True)
        subprocess.run([str(BIN / "adminexportd"), "make-key", "--private", f"{self.folder}/credentials/signing-key",
                        "--public", f"{self.folder}/keys"], check=True, stdout=subprocess.DEVNULL)
        cluster.sql(f"CREATE DATABASE {self.name}")
        self.maintain("migrate", "--with-directory")
        for tenant in tenants:
            self.maintain("demo-data", "--tenant", tenant, "--administrators", str(administrators))
        self.role = f"{self.name}_service"
        cluster.sql(f"CREATE ROLE {self.role} LOGIN IN ROLE adminexport_api, adminexport_worker")

    # Processes

    def url(self, user=None, host=None):
        return f"postgresql:///{self.name}?host={host or self.cluster.sockets}&user={user or self.role}"

    def environment(self, url, **more):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ADMINEXPORT_")}
        return {**clean, "ADMINEXPORT_DATABASE_URL": url, "ADMINEXPORT_LIMITS_LEAST_FREE_BYTES": "0",
                "ADMINEXPORT_LIMITS_CONNECTIONS_PER_USER": "200", "ADMINEXPORT_LIMITS_CONNECTIONS": "200",
                # A process that stops while its database does not answer must end soon.
                "ADMINEXPORT_DRAIN": "2s",
                **{f"ADMINEXPORT_{name}": value for name, value in self.settings.items()},
                **{name: str(value) for name, value in more.items()}}

    def maintain(self, *arguments, program=None):
        """Runs a command of adminexportd to its end, as the superuser."""
        environment = self.environment(self.url(SUPERUSER))
        del environment["ADMINEXPORT_LIMITS_LEAST_FREE_BYTES"], environment["ADMINEXPORT_DRAIN"]
        done = subprocess.run([str(program or BIN / "adminexportd"), *arguments], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *arguments, program=None, host=None, listening=None, **environment):
        if program is None:
            environment = {**self.keys, **environment}
        else:
            self.signs = False
        process = Process(
            [*arguments, "--archives", str(self.archives)], self.environment(self.url(host=host), **environment),
            self.folder / f"{arguments[0]}-{len(self.processes)}.log", program, listening)
        self.processes.append(process)
        return process

    def serve(self, workers=0, **more):
        process = self.start("serve", "--socket", str(self.socket), "--workers", str(workers), **more)

        def answers():
            assert process.process.poll() is None, f"the service ended unexpectedly:\n{process.log}"
            try:
                with Caller(self.socket) as caller:
                    return caller.call("service.health")["database"] == "ok"
            except (OSError, ValueError):
                return False
        until("the service answers", answers)
        return process

    def work(self, workers=1, stops=False, **more):
        """Starts a worker process. With `stops`, it suspends itself at the armed steps."""
        before = self.workers()
        if stops:
            more["TEST_STOPS"] = self.stops
        process = self.start("work", "--workers", str(workers), **more)
        until("the worker is registered", lambda: self.workers() > before)
        return process

    def workers(self):
        return int(self.sql("SELECT count(*) FROM adminexport.worker")[0][0])

    def arm(self, step):
        (self.stops / step).touch()

    def close(self):
        faults = []
        for process in reversed(self.processes):
            try:
                process.end()
            except AssertionError as fault:
                faults.append(fault)
        self.cluster.sql(f"DROP DATABASE {self.name} WITH (FORCE)")
        self.cluster.sql(f"DROP ROLE {self.role}")
        for process in self.processes:
            assert "@acme.example" not in process.log, "a log contains an e-mail address"
        shutil.rmtree(self.folder, ignore_errors=True)
        if faults:
            raise faults[0]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            for process in self.processes:
                if process.process.poll() is None:
                    process.kill()
            logs = "\n".join(f"--- {process.log_path}\n{process.log[-4_000:]}" for process in self.processes)
            print(f"{logs}\n", flush=True)
        self.close() if not kind else self.abandon()

    def abandon(self):
        try:
            self.cluster.sql(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
        except RuntimeError:
            pass

    # Callers

    def sql(self, text):
        return self.cluster.sql(text, self.name)

    def call(self, method, **params):
        with Caller(self.socket) as caller:
            return caller.call(method, **params)

    @staticmethod
    def actor(tenant="acme"):
        return {"tenant": tenant, "administrator": f"owner@{tenant}.example"}

    def export(self, caller=None, tenant="acme", **params):
        """Starts an export, records that it was accepted, and returns its id."""
        params = {"actor": self.actor(tenant), **params}
        job = (caller.call("export.start", **params) if caller else self.call("export.start", **params))["job"]["id"]
        with self.lock:
            self.accepted.add(job)
        return job

    def row(self, job):
        names = ("state", "epoch", "attempt", "crashes", "losses", "finished_at", "error_kind", "archive_epoch")
        return dict(zip(names, self.sql(f"SELECT {', '.join(names)} FROM adminexport.job WHERE id = '{job}'")[0]))

    def finish(self, jobs, seconds=60):
        """Waits until the jobs are final."""
        ids = ", ".join(f"'{job}'" for job in jobs)
        until("jobs are final", lambda: not jobs or self.sql(
            f"SELECT count(*) FROM adminexport.job WHERE id IN ({ids}) AND state IN ('queued', 'running')") == [["0"]], seconds, 0.1)

    # Checks

    def files(self):
        return {path for path in self.archives.rglob("*.xlsx.zst*") if path.is_file()}

    def check(self, retired=False):
        """Checks the result of a scenario, and returns figures: every accepted job is final, no job has succeeded twice, every
        workbook matches its row, every file belongs to a row, and the audit trail is complete.

        - retired: whether a sweep removes files without a row first. Otherwise there must be none.
        """
        self.finish(self.accepted, 120)
        until("slots and leases are free", lambda: self.sql(
            "SELECT coalesce(sum(running), 0), (SELECT count(*) FROM adminexport.lease) FROM adminexport.tenant_slot") == [["0", "0"]])
        if retired:
            self.maintain("prune", "--archives", str(self.archives))
        rows = self.sql(
            "SELECT id, state, tenant_slug, to_char(created_at AT TIME ZONE 'UTC', 'YYYY/MM'), archive_epoch, encode(sha256, 'hex'), size,"
            " coalesce(receipt, '') FROM adminexport.job")
        known = {row[0] for row in rows}
        lost = [job for job in self.accepted if job not in known]
        lost += [row[0] for row in rows if row[1] not in FINAL]
        wrong, promised, verified = [], set(), 0
        for job, state, tenant, month, epoch, digest, size, receipt in rows:
            if state != "succeeded":
                continue
            path = self.archives / tenant / month / f"{job}.{epoch}.xlsx.zst"
            promised.add(path)
            try:
                content = subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=True).stdout
            except subprocess.CalledProcessError:
                wrong.append(job)
                continue
            if hashlib.sha256(content).hexdigest() != digest or len(content) != int(size):
                wrong.append(job)
            elif receipt or self.signs:
                statement = json.loads(base64.b64decode(json.loads(receipt)["payload"]))
                if verified < 3:
                    verified += 1
                    (self.folder / "verify.xlsx").write_bytes(content)
                    (self.folder / "verify.json").write_text(receipt)
                    subprocess.run([str(BIN / "adminexport"), "verify", f"{self.folder}/verify.xlsx", f"{self.folder}/verify.json",
                                    *(f"--key={path}" for path in (self.folder / "keys").glob("*.pem"))],
                                   check=True, stdout=subprocess.DEVNULL)
                if (statement["subject"][0]["digest"]["sha256"], statement["predicate"]["epoch"]) != (digest, int(epoch)):
                    wrong.append(job)
        events = {}
        for job, event in self.sql("SELECT job, event FROM adminexport.audit_event WHERE job IS NOT NULL ORDER BY at, id"):
            events.setdefault(job, []).append(event)
        doubled = [job for job, of_job in events.items() if of_job.count("finished") > 1]
        ends = {"succeeded": "finished", "failed": "failed", "cancelled": "cancelled"}
        unaudited = [
            row[0] for row in rows
            if "requested" not in events.get(row[0], []) or ends.get(row[1], "finished") not in events[row[0]]
            or row[1] == "expired" and not {"expired", "deleted"} & set(events[row[0]])]
        stray = self.files() - promised
        # A worker may be about to remove an expired file.
        if stray and not retired:
            until("files without a row are removed", lambda: not (self.files() - promised), 70)
            stray = set()
        figures = {"jobs": len(rows), "lost": len(lost), "doubled": len(doubled), "wrong files": len(wrong),
                   "stray files": len(stray), "unaudited": len(unaudited)}
        faults = {name: value for name, value in figures.items() if name != "jobs" and value}
        assert not faults, f"{figures} {lost[:3]} {doubled[:3]} {wrong[:3]} {[str(path) for path in stray][:3]} {unaudited[:3]}"
        return figures


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def chance(seed):
    return random.Random(seed)
