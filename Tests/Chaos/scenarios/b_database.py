"""A database that restarts, crashes, loses sessions, stops answering, or is behind a pooler."""
import contextlib
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

from system import SUPERUSER, Caller, RPCFault, Skip, System, chance, until
from scenarios.a_workers import outlast_grace


class Load:
    """A caller that starts exports continuously, also after errors. Each accepted export must end correctly."""

    def __init__(self, system, pause=0.05):
        self.system = system
        self.pause = pause
        self.refused = 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        caller = None
        while not self.ending.is_set():
            try:
                caller = caller or Caller(self.system.socket)
                self.system.export(caller)
            except RPCFault as fault:
                assert fault.kind in ("unavailable", "quota-exceeded", "overloaded"), fault.kind
                self.refused += 1
            except (OSError, ValueError):
                caller = None
            time.sleep(self.pause)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()


def _finished(system):
    return int(system.sql("SELECT count(*) FROM adminexport.job WHERE state = 'succeeded'")[0][0])


def _first_completion(system, since):
    """The seconds from a moment to the end of the first job that finishes after it."""
    return float(until("a job is finished", lambda: system.sql(
        f"SELECT extract(epoch FROM min(finished_at)) - {since} FROM adminexport.job"
        f" WHERE state = 'succeeded' AND finished_at > to_timestamp({since}) HAVING count(*) > 0"), 60, 0.05)[0][0])


def _outage(cluster, short, interrupt, after_grace=False):
    """Interrupts the server under load, and measures the time until the next job finishes."""
    rounds = 1 if short else 5
    times = []
    with System(cluster, LIMITS_QUEUED_PER_TENANT=100_000) as system:
        if after_grace:
            outlast_grace(system)
        system.serve(workers=1)
        system.work(workers=2)
        with Load(system) as load:
            for _ in range(rounds):
                done = _finished(system)
                until("jobs are finished", lambda: _finished(system) > done + 5)
                interrupt(system)
                times.append(_first_completion(system, time.time()))
        figures = system.check()
        crashes = system.sql("SELECT sum(crashes), max(epoch), sum(losses) FROM adminexport.job")[0]
    # Every session has ended, and no worker is taken for dead.
    assert crashes[2] == "0", crashes
    assert short or max(times) <= 5, times
    return {"runs": rounds, **figures, "refused while away": load.refused, "first completion s, worst": max(times),
            "crashes counted": crashes[0], "most epochs of a job": crashes[1]}


def _restart(system, mode, pause):
    system.cluster.stop(mode)
    time.sleep(pause)
    system.cluster.start()


def restart(cluster, short):
    """PostgreSQL restarts under load"""
    return _outage(cluster, short, lambda system: _restart(system, "fast", 0))


def crash(cluster, short):
    """PostgreSQL crashes (-m immediate) under load and is back after 3 s"""
    return _outage(cluster, short, lambda system: _restart(system, "immediate", 3))


def crash_of_a_backend(cluster, short):
    """a PostgreSQL backend is killed under load: the server ends all sessions and recovers, and its start time does not change"""
    def interrupt(system):
        pid = system.sql(f"SELECT pid FROM pg_stat_activity WHERE usename = '{system.role}' ORDER BY random() LIMIT 1")[0][0]
        killed = time.time()
        os.kill(int(pid), signal.SIGKILL)

        def has_recovered():
            try:
                return system.sql("SELECT 1 FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
                                  f" AND backend_start > to_timestamp({killed})")
            except RuntimeError:
                return None
        until("the server has recovered", has_recovered)
    return _outage(cluster, short, interrupt, after_grace=True)


def away(cluster, short):
    """PostgreSQL is unavailable for longer than a lease"""
    with System(cluster, administrators=20_000, LEASE="2s") as system:
        system.serve()
        worker = system.work()
        job = system.export()
        until("the export runs", lambda: system.row(job)["state"] == "running")
        system.cluster.stop("immediate")
        time.sleep(4)
        system.cluster.start()
        seconds = _first_completion(system, time.time())
        row = system.row(job)
        assert row["state"] == "succeeded" and row["crashes"] == "0" and row["losses"] == "0", row
        worker.end()
        return {"runs": 1, **system.check(), "first completion s": seconds}


def terminate(cluster, short):
    """a random session of the service is terminated twice a second"""
    seconds = 5 if short else 30
    pick = chance(1)
    killed = 0
    with System(cluster, LIMITS_QUEUED_PER_TENANT=100_000) as system:
        system.serve(workers=1)
        system.work(workers=2)
        with Load(system) as load:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(0.5)
                sessions = system.sql(f"SELECT pid FROM pg_stat_activity WHERE usename = '{system.role}' ORDER BY pid")
                if sessions:
                    system.sql(f"SELECT pg_terminate_backend({pick.choice(sessions)[0]})")
                    killed += 1
            ended = time.time()
        first = _first_completion(system, ended - 0.5)
        figures = system.check()
        crashes = system.sql("SELECT sum(crashes), max(attempt) FROM adminexport.job")[0]
    return {"sessions killed": killed, **figures, "refused": load.refused, "next completion s": max(first - 0.5, 0.0),
            "crashes counted": crashes[0], "most attempts": crashes[1]}


class Proxy:
    """Forwards connections to PostgreSQL until it goes silent. Then it accepts all data, forwards nothing, and closes no
    connection."""

    def __init__(self, folder, target):
        folder.mkdir()
        self.folder = folder
        self.path = folder / ".s.PGSQL.5432"
        self.target = target
        self.silent = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(64)
        self.path.chmod(0o777)
        self.pairs = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self.target)
            except OSError:
                return
            pair = (near, far, self.silent)
            self.pairs.append(pair)
            threading.Thread(target=self._pass, args=pair, daemon=True).start()

    @staticmethod
    def _pass(near, far, silent):
        with contextlib.suppress(OSError, ValueError):
            while True:
                readable, _, _ = select.select([near, far], [], [], 0.1)
                if silent.is_set():
                    time.sleep(0.1)
                    continue
                for end in readable:
                    data = end.recv(65_536)
                    if not data:
                        near.close()
                        far.close()
                        return
                    (far if end is near else near).sendall(data)

    def go_silent(self):
        """Silences all existing connections permanently. New connections work."""
        self.silent.set()
        self.silent = threading.Event()

    def close(self):
        self.listener.close()
        for near, far, silent in self.pairs:
            near.close()
            far.close()


def half_open(cluster, short):
    """every connection stops delivering data and none is closed, as in a network that drops packets"""
    with System(cluster, LIMITS_QUEUED_PER_TENANT=100_000) as system:
        proxy = Proxy(system.folder / "proxy", f"{cluster.sockets}/.s.PGSQL.5432")
        system.serve()
        system.work(workers=2, host=proxy.folder)
        # One export at a time, so that only one idle connection of exports is silent: what uses it waits for the timeout of 300 s.
        with Load(system, 0.7):
            until("jobs are finished", lambda: _finished(system) > 5)
            proxy.go_silent()
            silent = time.time()
            time.sleep(0.5)
            first = _first_completion(system, silent + 0.5) + 0.5
        for process in system.processes[::-1]:
            process.end()
        system.processes.clear()
        system.serve(workers=2)
        figures = system.check()
        proxy.close()
    # The statement's timeout of 4 s and the grace period for its cancellation pass first.
    assert short or first <= 15, first
    return {"runs": 1, **figures, "until the next completion s": first}


@contextlib.contextmanager
def _pooler(system):
    program = shutil.which("pgbouncer")
    if not program:
        raise Skip("pgbouncer is not installed")
    folder = system.folder / "pooler"
    folder.mkdir()
    (folder / "pgbouncer.ini").write_text(f"""
[databases]
{system.name} = host={system.cluster.sockets} dbname={system.name}
[pgbouncer]
unix_socket_dir = {folder}
listen_port = 5432
listen_addr =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 3
max_client_conn = 500
logfile = {folder}/log
pidfile = {folder}/pid
""")
    (folder / "users").write_text(f'"{system.role}" ""\n')
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    if os.getuid() == 0:
        shutil.chown(folder, user)
    process = subprocess.Popen([program, "-q", *(["-u", user] if os.getuid() == 0 else []), str(folder / "pgbouncer.ini")])
    try:
        until("the pooler listens", lambda: (folder / ".s.PGSQL.5432").exists())
        yield folder
    finally:
        process.terminate()
        process.wait(30)


def pooler(cluster, short):
    """all sessions except the one that listens go through PgBouncer in transaction mode, with three server sessions"""
    count = 10 if short else 60
    with System(cluster, tenants=("acme", "globex"), LIMITS_QUEUED_PER_TENANT=1_000) as system, _pooler(system) as pool:
        listen = system.url()
        system.serve(workers=1, host=pool, ADMINEXPORT_DATABASE_LISTEN=listen)
        system.work(workers=2, host=pool, ADMINEXPORT_DATABASE_LISTEN=listen)
        jobs = [system.export(tenant=("acme", "globex")[index % 2]) for index in range(count)]
        system.finish(jobs, 120)
        until("no export runs", lambda: system.sql("SELECT count(*) FROM adminexport.lease") == [["0"]])
        waits = []
        for _ in range(5):
            time.sleep(0.3)
            job = system.export()
            system.finish([job])
            waits.append(float(system.sql(
                f"SELECT extract(epoch FROM started_at - created_at) FROM adminexport.job WHERE id = '{job}'")[0][0]))
        for process in system.processes[::-1]:
            process.end()
        # A service that listens through the pooler logs that it does not listen, and works.
        system.processes.clear()
        deaf = system.serve(workers=1, host=pool)
        job = system.export()
        system.finish([job])
        until("the service logs that it does not listen", lambda: "event=notListening" in deaf.log)
        assert system.sql("SELECT count(*) FROM adminexport.job WHERE crashes > 0 OR attempt > 1") == [["0"]]
        figures = system.check()
        for process in system.processes[::-1]:
            process.end()
        system.processes.clear()
        return {"runs": 1, **figures, "idle pickup s, worst": max(waits)}


def _as_postgres(folder):
    """The command prefix for PostgreSQL's programs, which refuse to run as root. Gives the folder to their user."""
    if os.getuid() != 0:
        return []
    shutil.chown(folder, "postgres")
    return ["runuser", "-u", "postgres", "--"]


class Server:
    """Another PostgreSQL, with its socket in a separate folder."""

    def __init__(self, cluster, folder, options=""):
        self.folder = folder
        self.control = [*_as_postgres(folder), f"{cluster.programs}/pg_ctl", "-D", str(folder / "data"), "-w"]
        self.options = f"-c listen_addresses='' -k '{folder}' {options}"

    def start(self):
        subprocess.run([*self.control, "-l", str(self.folder / "log"), "-o", self.options, "start"], check=True,
                       stdout=subprocess.DEVNULL)

    def stop(self):
        subprocess.run([*self.control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def _standby(system, source=None):
    """A hot standby of the cluster, or of the server with the folder. Its recovery does not wait for queries."""
    cluster, folder = system.cluster, system.folder / "standby"
    folder.mkdir()
    subprocess.run([*_as_postgres(folder), f"{cluster.programs}/pg_basebackup", "-h", str(source or cluster.sockets), "-U", SUPERUSER,
                    "-D", str(folder / "data"), "-R", "-c", "fast"], check=True, stdout=subprocess.DEVNULL)
    server = Server(cluster, folder, "-c max_standby_streaming_delay=100ms")
    server.start()
    try:
        yield folder
    finally:
        server.stop()


@contextlib.contextmanager
def _second(system):
    """A separate cluster."""
    cluster, folder = system.cluster, system.folder / "second"
    folder.mkdir()
    subprocess.run([*_as_postgres(folder), f"{cluster.programs}/initdb", "-D", str(folder / "data"), "-U", SUPERUSER, "-A", "trust",
                    "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], check=True, stdout=subprocess.DEVNULL)
    server = Server(cluster, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def replica(cluster, short):
    """the directory is a hot standby whose recovery cancels a running export"""
    with System(cluster, administrators=30_000) as system, _standby(system) as standby:
        system.serve()
        worker = system.work(stops=True, ADMINEXPORT_DIRECTORY_URL=f"postgresql:///{system.name}?host={standby}&user={system.role}")
        system.arm("first-row")
        job = system.export()
        until("the worker stops with rows read", worker.is_stopped)

        def conflicts():
            return cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'startup'"
                               " AND wait_event LIKE 'RecoveryConflict%'", host=standby) != [["0"]]
        # Removes rows that the export's snapshot sees. The standby replays this.
        system.sql("UPDATE directory.administrator SET updated_at = updated_at")
        system.sql("VACUUM directory.administrator")
        until("recovery conflicts with the export", conflicts, 8)
        time.sleep(0.5)
        worker.signal(signal.SIGCONT)
        system.finish([job])
        row = system.row(job)
        assert row["state"] == "succeeded" and int(row["attempt"]) == 2 and row["crashes"] == "0", row
        figures = system.check()
        for process in system.processes[::-1]:
            process.end()
        system.processes.clear()
        return {"runs": 1, **figures, "attempts": row["attempt"]}


def _is_ahead(system, cluster, standby, sql):
    """Adds an administrator while replay on the standby is paused. The start sees the administrator, the worker does not yet."""
    cluster.sql("SELECT pg_wal_replay_pause()", host=standby)
    sql("INSERT INTO directory.administrator (tenant_id, name, email, profile_id) SELECT tenant_id, 'New', 'new@acme.example', profile_id"
        " FROM directory.administrator WHERE email = 'owner@acme.example'")
    job = system.export(actor={"tenant": "acme", "administrator": "new@acme.example"})
    until("the export is retried", lambda: int(system.row(job)["attempt"]) >= 2)
    row = system.row(job)
    assert row["state"] in ("queued", "running"), row
    cluster.sql("SELECT pg_wal_replay_resume()", host=standby)
    system.finish([job])
    row = system.row(job)
    assert row["state"] == "succeeded" and row["crashes"] == "0", row
    return int(row["attempt"])


def _is_denied(system, sql):
    """A withdrawal after the start fails the export when the standby has it. An unknown administrator is denied at the start."""
    try:
        system.call("export.start", actor={"tenant": "acme", "administrator": "unknown@acme.example"})
        raise AssertionError("an unknown administrator may export")
    except RPCFault as fault:
        assert fault.data["reason"] == "unknown-administrator", fault.data
    system.call("service.pause")
    job = system.export(actor={"tenant": "acme", "administrator": "new@acme.example"})
    sql("UPDATE directory.administrator SET status = 'disabled' WHERE email = 'new@acme.example'")
    system.call("service.resume")
    system.finish([job])
    row = system.row(job)
    assert row["state"] == "failed" and row["error_kind"] == "permission-denied", row


def failover(cluster, short):
    """a standby is promoted, where no worker holds a lock: a job runs again only at the end of its lease"""
    with System(cluster, administrators=300, LEASE="6s") as system, _standby(system) as standby:
        system.serve()
        victim = system.work()
        # A server that has just started gives every lease its full duration.
        time.sleep(7)
        locked = subprocess.Popen(
            [f"{cluster.programs}/psql", "-h", cluster.sockets, "-U", SUPERUSER, "-d", system.name, "-qX", "-c",
             "BEGIN; LOCK TABLE directory.administrator_team; SELECT pg_sleep(30)"], stdout=subprocess.DEVNULL)
        until("the table is locked", lambda: system.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'") != [["0"]])
        job = system.export()

        def there(text):
            done = subprocess.run([f"{cluster.programs}/psql", "-h", str(standby), "-U", SUPERUSER, "-d", system.name, "-qAtX", "-c", text],
                                  capture_output=True, text=True, check=True)
            return done.stdout.strip()
        until("the standby shows the run", lambda: there(
            f"SELECT count(*) FROM adminexport.lease l JOIN adminexport.worker w ON w.proof_lock IS NOT NULL WHERE l.job = '{job}'") == "1")
        time.sleep(2)
        promoted = time.time()
        there("SELECT pg_promote()")
        other = system.start("work", "--workers", "1", host=standby)
        waited = float(until("the job runs again", lambda: there(
            f"SELECT extract(epoch FROM attempt_started_at) - {promoted} FROM adminexport.job WHERE id = '{job}' AND epoch = 2"), 30, 0.05))
        counts = there(f"SELECT crashes, losses FROM adminexport.job WHERE id = '{job}'")
        # The former server still has its worker: the scenario ends all of them.
        for process in (other, victim):
            process.kill()
            system.processes.remove(process)
        locked.kill()
        locked.wait(30)
        system.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LOCK TABLE%' AND pid <> pg_backend_pid()")
        assert waited >= 4.5 and counts == "1|0", (waited, counts)
        return {"runs": 1, "running again s": waited}


def lagging(cluster, short):
    """the directory is a hot standby that lags: the worker waits for an administrator whom the start has seen"""
    with System(cluster) as system, _standby(system) as standby:
        url = f"postgresql:///{system.name}?host={standby}&user={system.role}"
        system.serve(ADMINEXPORT_DIRECTORY_URL=url)
        system.work(ADMINEXPORT_DIRECTORY_URL=url)
        attempts = _is_ahead(system, cluster, standby, system.sql)
        _is_denied(system, system.sql)
        figures = system.check()
        for process in system.processes[::-1]:
            process.end()
        system.processes.clear()
        return {"runs": 1, **figures, "attempts": attempts}


def own_directory(cluster, short):
    """the directory is on a separate server that becomes unavailable, and is exported from a standby that lags"""
    with System(cluster) as system, _second(system) as second:
        def sql(text):
            return cluster.sql(text, "people", host=second.folder)

        def url(server, user):
            return f"postgresql:///people?host={server}&user={user}"
        # As OPERATIONS.md describes it. Nothing of the directory remains in the jobs' database.
        system.sql("DROP SCHEMA directory CASCADE")
        cluster.sql("CREATE DATABASE people", host=second.folder)
        system.settings["DIRECTORY_URL"] = url(second.folder, SUPERUSER)
        system.maintain("migrate", "--with-directory", "--api-login", system.role, "--worker-login", system.role)
        system.maintain("migrate", "--grant-directory", "--api-login", system.role, "--worker-login", system.role)
        system.maintain("demo-data", "--tenant", "acme", "--administrators", "300")
        with _standby(system, second.folder) as standby:
            system.serve(ADMINEXPORT_DIRECTORY_URL=url(second.folder, system.role))
            system.work(ADMINEXPORT_DIRECTORY_URL=url(standby, system.role))

            def directory():
                return system.call("service.health")["directory"]
            until("the directory is found", lambda: directory() == "ok", 10)
            system.finish([system.export()])
            attempts = _is_ahead(system, cluster, standby, sql)
            _is_denied(system, sql)
            second.stop()
            start = time.monotonic()
            until("health reports that the directory is unavailable", lambda: directory() != "ok", 10)
            seen = time.monotonic() - start
            assert seen <= 5, seen
            health = system.call("service.health")
            assert health["status"] == "degraded" and health["database"] == "ok", health
            try:
                system.call("export.start", actor=system.actor())
                raise AssertionError("an export is accepted without a directory")
            except RPCFault as fault:
                assert fault.kind == "unavailable" and fault.data["reason"] == "directory" and fault.data["retryable"], fault.data
            assert len(system.call("export.list")["jobs"]) == 3
            second.start()
            until("the directory is available again", lambda: directory() == "ok", 20)
            system.finish([system.export()])
            figures = system.check()
            for process in system.processes[::-1]:
                process.end()
            system.processes.clear()
        return {"runs": 1, **figures, "attempts": attempts, "seen in health after s": seen}


def deaf(cluster, short):
    """all notifications are lost"""
    with System(cluster) as system:
        elsewhere = f"postgresql:///postgres?host={cluster.sockets}&user={system.role}"
        system.serve(ADMINEXPORT_DATABASE_LISTEN=elsewhere)
        system.work(ADMINEXPORT_DATABASE_LISTEN=elsewhere)
        waits = []
        for _ in range(2 if short else 8):
            job = system.export()
            system.finish([job])
            waits.append(float(system.sql(
                f"SELECT extract(epoch FROM started_at - created_at) FROM adminexport.job WHERE id = '{job}'")[0][0]))
        assert short or max(waits) <= 5.5, waits
        system.call("export.delete", actor=system.actor(), job=job)
        start = time.monotonic()
        until("the file is removed", lambda: not any(job in path.name for path in system.files()), 10)
        return {"runs": len(waits), **system.check(), "pickup s, worst": max(waits), "unlinked after s": time.monotonic() - start}


SCENARIOS = [restart, crash, crash_of_a_backend, away, terminate, half_open, pooler, replica, failover, lagging, own_directory, deaf]
