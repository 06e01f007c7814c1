"""The private PostgreSQL of Scripts/postgres.sh, through psql."""
import json
import os
import subprocess

SOCKET_DIR, USER = os.environ["PG_SOCKET_DIR"], os.environ["PG_SUPERUSER"]
PSQL = [os.environ["PG_BIN"] + "/psql", "-X", "-q", "-h", SOCKET_DIR, "-U", USER, "-v", "ON_ERROR_STOP=1"]
TIME_OUT = 1_800
# Without what would configure the service or psql from outside.
CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith(("ADMINEXPORT_", "PG"))}


class Database:
    """A new database in the private PostgreSQL."""

    def __init__(self, name):
        self.name = name
        self.url = f"postgresql:///{name}?host={SOCKET_DIR}&user={USER}"
        self._psql("postgres", "-c", f"CREATE DATABASE {name}")

    def _psql(self, database, *arguments):
        subprocess.run([*PSQL, "-d", database, *arguments], check=True, env=CLEAN, timeout=TIME_OUT,
                       stdout=subprocess.DEVNULL)

    def file(self, path):
        """Runs a file of SQL."""
        self._psql(self.name, "-f", str(path))

    def rows(self, query):
        """Yields the rows of a query with one JSON column.

        COPY as CSV whose quote and delimiter never occur in JSON writes each value as it is, a line for each.
        """
        copy = f"COPY ({query}) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
        settings = {"PGOPTIONS": "-c datestyle=ISO -c work_mem=256MB -c jit=off", "PGCLIENTENCODING": "UTF8"}
        with subprocess.Popen([*PSQL, "-d", self.name, "-c", copy], env={**CLEAN, **settings},
                              stdout=subprocess.PIPE) as psql:
            try:
                for line in psql.stdout:
                    yield json.loads(line)
            except GeneratorExit:
                psql.kill()
                raise
        if psql.returncode != 0:
            raise RuntimeError("psql failed; its message is above")
