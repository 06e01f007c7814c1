"""What a reader of workbooks is to Scripts/check-readers.py."""
import importlib.metadata
import subprocess
from dataclasses import dataclass
from typing import Callable

TIME_OUT = 600


class Unusable(Exception):
    """A reader that is installed and cannot run, with the reason."""


@dataclass(frozen=True)
class Reader:
    """A program or a library that reads workbooks.

    `version` gives None where it is not installed. `read` takes the workbook and an empty folder and gives
    {sheet: [[cell, …], …]}; the rows may be an iterator. Differences that are the reader's own are undone in `read`
    where that can be done without a guess; where the reader loses something, `garbles` gives what it is known to make of
    a text, and such cells are counted apart.
    """
    name: str
    version: Callable
    read: Callable
    typed: bool = True             # tells texts from dates and numbers
    ordered: bool = True           # tells the sheets' order
    streams: bool = False          # reads millions of rows in a bearable time
    needs_references: bool = False  # reads nothing where cells have no r
    garbles: Callable | None = None


def package_version(name):
    """A function that gives the version of a Python package."""
    def version():
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None
    return version


def run(*command, **options):
    """Runs a program with a time-out; what it says is shown only when it fails."""
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=TIME_OUT, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout
