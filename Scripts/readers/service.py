"""The real service: the daemon on a socket in SCRATCH, and the command-line program."""
import json
import os
import pathlib
import subprocess
import time

from .database import CLEAN, TIME_OUT

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("BIN_DIR", ROOT / ".build/release"))
SCRATCH = pathlib.Path(os.environ["SCRATCH"])


def administer(database, *arguments):
    """Runs a command of adminexportd on the database."""
    subprocess.run([BIN / "adminexportd", *arguments], check=True, env={**CLEAN, "ADMINEXPORT_DATABASE_URL": database.url},
                   stdout=subprocess.DEVNULL, timeout=TIME_OUT)


class Service:
    """A daemon that serves a database while the `with` block runs.

    `settings` are environment variables of its configuration, without the prefix ADMINEXPORT_.
    """

    def __init__(self, database, name, settings):
        self.socket = SCRATCH / f"{name}.sock"
        self.environment = {"ADMINEXPORT_DATABASE_URL": database.url,
                            **{f"ADMINEXPORT_{key}": value for key, value in settings.items()}}
        # Each database has its own folder, because archives belong to one database.
        self.archives = SCRATCH / f"archives-{database.name}"

    def __enter__(self):
        self.archives.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [BIN / "adminexportd", "serve", "--socket", self.socket, "--archives", self.archives, "--log-level", "error"],
            env={**CLEAN, **self.environment})
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self):
        end = time.monotonic() + 60
        while not self.socket.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the service did not start within 60 s, or ended")
            time.sleep(0.05)

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def export(self, tenant, file, *choices):
        """Exports as the tenant's owner with disabled administrators, downloads the workbook, and returns the job."""
        actor = {"ADMINEXPORT_SOCKET": str(self.socket), "ADMINEXPORT_TENANT": tenant,
                 "ADMINEXPORT_AS": f"owner@{tenant}.example"}

        def client(*arguments):
            return subprocess.run([BIN / "adminexport", *arguments], check=True, env={**CLEAN, **actor}, timeout=TIME_OUT,
                                  stdout=subprocess.PIPE).stdout

        job = json.loads(client("start", "--json", "--include-disabled", *choices))["id"]
        client("wait", job, "-q")
        client("download", job, "-o", str(file), "--force")
        return json.loads(client("get", job, "--json"))
