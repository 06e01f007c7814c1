"""The writers: how the program finds and starts each of them, and the meaning of the exit status."""
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sys

from xlsxtraps import lines

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BIN = pathlib.Path(os.environ.get("WRITER_BIN_DIR", ROOT / "Benchmarks/.build/release"))
SECONDS = 120
CANNOT_EXPRESS = 3


@dataclasses.dataclass
class Outcome:
    """How a run ended: `written`, `refused`, `n/a` or `broken`."""
    kind: str
    reason: str = ""
    report: dict = dataclasses.field(default_factory=dict)
    peak: int = 0


class Writer:
    name = ""
    ours = False
    #: Why the writer cannot take part; empty where it can.
    missing = ""
    version = ""
    #: What the API cannot say, with the reason: such traps are n/a.
    lacks = {}

    def prepare(self, scratch):
        """Finds or builds the program and sets `missing` or `version`."""

    def source(self, given):
        """The input file for the program, made from the JSON lines."""
        return given

    def command(self, source, output):
        raise NotImplementedError

    def run(self, given, output):
        """Writes one workbook in a child process."""
        source = self.source(given)
        measure = [sys.executable, "-S", HERE / "measure.py", str(SECONDS), source]
        done = subprocess.run([*measure, *self.command(source, output)], capture_output=True, check=True, text=True)
        return self.outcome(json.loads(done.stdout), output)

    def outcome(self, ended, output):
        status, last = ended["status"], (ended["err"].strip().splitlines() or [""])[-1]
        if status is None:
            return Outcome("broken", f"not done after {SECONDS} s")
        if status == CANNOT_EXPRESS:
            return Outcome("n/a", last)
        if status == 1:
            return Outcome("refused", last)
        if status != 0:
            return Outcome("broken", f"signal {-status}" if status < 0 else f"exit status {status}: {last}")
        if not os.path.exists(output):
            return Outcome("broken", "no file")
        return Outcome("written", report=json.loads(ended["out"] or "{}"), peak=ended["peakKiB"])


class AdminExport(Writer):
    name = "adminexport"
    ours = True
    program = BIN / "rows2xlsx"

    def prepare(self, scratch):
        if not self.program.exists():
            self.missing = "the program rows2xlsx is not built (see WRITER_BIN_DIR)"

    def command(self, source, output):
        return [self.program, "--title", "Traps", "--creator", "traps.py", output]


class LibXlsxWriter(Writer):
    name = "libxlsxwriter"

    def prepare(self, scratch):
        compiler = os.environ.get("CC") or shutil.which("cc")
        if not compiler:
            self.missing = "no C compiler"
            return
        self.program = scratch / "libxlsxwriter_cases"
        built = subprocess.run([compiler, "-O2", "-o", self.program, HERE / "libxlsxwriter_cases.c", "-lxlsxwriter"],
                               capture_output=True, text=True)
        if built.returncode:
            self.missing = "xlsxwriter.h or the library is missing (Debian: libxlsxwriter-dev)"
            return
        self.version = subprocess.run([self.program, "--version"], capture_output=True, text=True).stdout.strip()

    def source(self, given):
        path = given.with_suffix(".tokens")
        if not path.exists():
            with open(path, "wb") as output:
                output.writelines(lines.tokens(lines.read(given)))
        return path

    def command(self, source, output):
        return [self.program, output]


class PythonWriter(Writer):
    def __init__(self, name, package, module, lacks=None):
        self.name, self.package, self.module, self.lacks = name, package, module, lacks or {}

    def prepare(self, scratch):
        found = subprocess.run([sys.executable, "-c", f"import {self.module}"], capture_output=True)
        if found.returncode:
            self.missing = f"the Python package {self.package} is not installed"
            return
        self.version = importlib.metadata.version(self.package)
        inner = self.inner()
        if inner:
            self.version = f"{inner} through {self.package} {self.version}"

    def inner(self):
        """The version of the Rust crate, from the bill of materials that the package carries."""
        for file in importlib.metadata.files(self.package) or []:
            if file.name.endswith(".cyclonedx.json"):
                items = json.loads(file.read_text()).get("components", [])
                return next((item["version"] for item in items if item["name"] == self.name), None)
        return None

    def command(self, source, output):
        return [sys.executable, HERE / "python_writers.py", self.name, source, output]


def all_writers():
    no_properties = {"properties": "the Python package sets no document properties, so no time of creation"}
    return [
        AdminExport(), LibXlsxWriter(),
        PythonWriter("rust_xlsxwriter", "rustpy-xlsxwriter", "rustpy_xlsxwriter", no_properties),
        PythonWriter("openpyxl", "openpyxl", "openpyxl"), PythonWriter("XlsxWriter", "XlsxWriter", "xlsxwriter"),
    ]
