"""The type of a reader of workbooks for Scripts/check-readers.py."""
import importlib.metadata
import subprocess
from dataclasses import dataclass
from typing import Callable

TIME_OUT = 600


class Unusable(Exception):
    """A reader is installed but cannot run; the text gives the reason."""


@dataclass(frozen=True)
class Reader:
    """A program or a library that reads workbooks.

    `version` returns None if the reader is not installed. `read` takes the workbook and an empty folder, and returns
    {sheet: [[cell, …], …]}; the rows may be an iterator. `read` corrects known differences of the reader if it can do so
    without a guess. If the reader loses information, `garbles` returns the text that it is known to produce; the comparison
    counts such cells separately.
    """
    name: str
    version: Callable
    read: Callable
    typed: bool = True             # distinguishes texts from dates and numbers
    ordered: bool = True           # returns the sheets in order
    streams: bool = False          # reads millions of rows in acceptable time
    needs_references: bool = False  # reads nothing if cells have no r
    garbles: Callable | None = None


def package_version(name):
    """Returns a function that returns the version of a Python package, or None if it is not installed."""
    def version():
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None
    return version


def run(*command, **options):
    """Runs a program with a time-out, and returns its output. The error contains its messages."""
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=TIME_OUT, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout
