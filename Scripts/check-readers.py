#!/usr/bin/env python3
"""Export difficult data through the real service, and compare what each installed reader of workbooks reads.

usage: Scripts/postgres.sh PYTHON Scripts/check-readers.py [--readers NAME,NAME…] [--administrators N] [--keep DIR]

The program exports the tenant of Tests/Nasty/nasty.sql with its disabled administrators and its references, once with and
once without cell references (the `r` of cells and rows); and once more with five further columns of each type
(Tests/Nasty/attributes.sql) and with the sheet about the export. It computes the expected content of each cell with SQL.

  --readers NAMES       use only these readers; the program skips a reader that is not installed, and prints its name
  --administrators N    export a generated tenant with N administrators instead, and use the readers that stream
  --keep DIR            keep the workbooks in DIR

The program prints a line for each reader and workbook, with the number of compared cells and of differences, and the
first ten differences. The exit status is 1 if there is a difference, if a reader fails, or if the job's warnings differ
from the expected ones.
"""
import argparse
import pathlib
import shutil
import signal
import sys
import traceback

from readers import by_hand, libreoffice, poi, python_packages
from readers.compare import compare
from readers.database import Database
from readers.expected import ATTRIBUTES, Expected, title
from readers.reader import Unusable
from readers.service import SCRATCH, Service, administer

READERS = [*by_hand.READERS, *python_packages.READERS, *libreoffice.READERS, *poi.READERS]
NASTY = pathlib.Path(__file__).resolve().parent.parent / "Tests/Nasty"


def arguments():
    names = [reader.name for reader in READERS]
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog="Readers: " + ", ".join(names))
    parser.add_argument("--readers", metavar="NAMES", default=",".join(names), type=lambda value: value.split(","))
    parser.add_argument("--administrators", metavar="N", type=int)
    parser.add_argument("--keep", metavar="DIR", type=pathlib.Path)
    options = parser.parse_args()
    if unknown := set(options.readers) - set(names):
        parser.error("unknown readers: " + ", ".join(sorted(unknown)))
    return options


class Check:
    """The selected readers, and whether a check has failed."""

    def __init__(self, options):
        self.options = options
        self.failed = False
        self.readers = []
        for reader in READERS:
            if reader.name not in options.readers:
                continue
            try:
                version = reader.version()
            except Unusable as reason:
                print(f"skipped: {reader.name} is installed, but {reason}", flush=True)
                continue
            if version:
                self.readers.append((reader, version))
            else:
                print(f"skipped: {reader.name} is not installed", flush=True)

    def say(self, name, workbook, text):
        print(f"{name:<32} {workbook:<28} {text}", flush=True)

    def fail(self, text):
        self.failed = True
        print("  " + text, flush=True)

    def workbook(self, file, job, expected, has_references=True, streams=False):
        """Reads a workbook with every reader, and compares the job's warnings with the expected ones."""
        if self.options.keep:
            self.options.keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, self.options.keep)
        if by_hand.has_references(file) != has_references:
            self.say("cell references", file.name, "do not match the service's configuration")
            self.failed = True
        for reader, version in self.readers:
            if reader.streams or not streams:
                self.read(reader, version, file, expected, has_references)
        self.warnings(file, job, expected)

    def read(self, reader, version, file, expected, has_references):
        work = SCRATCH / f"{reader.name}-{file.stem}"
        work.mkdir()
        name = f"{reader.name} {version}"
        try:
            got = reader.read(file, work)
            if reader.needs_references and not has_references and not any(got.values()):
                self.say(name, file.name, "reads nothing without cell references: a known fault of this reader")
                return
            result = compare(expected.sheets(), got, reader)
        except Exception as error:
            self.say(name, file.name, "failed")
            self.fail("".join(traceback.format_exception_only(error)).strip())
            return
        finally:
            shutil.rmtree(work)
        known = f", {result.garbled:,} more that this reader is known to garble" if result.garbled else ""
        self.say(name, file.name, f"{result.cells:>11,} cells {result.differences:>5,} differences{known}")
        for line in result.shown:
            self.fail(line)

    def warnings(self, file, job, expected):
        if not expected.counted:
            return
        counted = {kind: count for kind, count in expected.warnings.items() if count}
        warnings = {warning["kind"]: warning["count"] for warning in job["warnings"]}
        text = ", ".join(f"{kind} {count:,}" for kind, count in sorted(warnings.items())) or "none"
        self.say("warnings of the job", file.name, text)
        if warnings != counted:
            self.fail(f"expected {counted}, got {warnings}")


def nasty(check):
    database = Database("readers")
    administer(database, "migrate", "--with-directory")
    database.file(NASTY / "nasty.sql")
    configuration = SCRATCH / "attributes.yaml"
    configuration.write_text("attributes:\n" + "".join(
        f'- {{column: "{column}", title: "{title(column)}", type: {kind}}}\n' for column, kind in ATTRIBUTES))
    expected = Expected(database, "nasty", with_references=True)
    expected.keep()
    for name, settings in (("nasty", {}), ("nasty-without-r", {"WORKBOOK_CELL_REFERENCES": "false"})):
        file = SCRATCH / f"{name}.xlsx"
        with Service(database, name, settings) as service:
            job = service.export("nasty", file, "--include-references")
        check.workbook(file, job, expected, has_references=not settings)
    database.file(NASTY / "attributes.sql")
    administer(database, "migrate", "--grant-directory", "--config", str(configuration))
    expected = Expected(database, "nasty", with_references=True, attributes=ATTRIBUTES)
    file = SCRATCH / "nasty-attributes.xlsx"
    with Service(database, "nasty-attributes", {"CONFIG": str(configuration)}) as service:
        job = service.export("nasty", file, "--include-references", "--include-about")
    expected.about = about(check, file, job)
    expected.keep()
    check.workbook(file, job, expected)


def about(check, file, job):
    """The rows of the sheet about the export, as the file has them, if they are true."""
    rows = by_hand.read(file, None)["About this export"]
    facts = dict(row for row in rows[1:])
    wanted = {"Tenant": 'Nasty "Names" & <Sons> (nasty)', "Requested by": "owner@nasty.example", "Export": job["id"],
              "Accounts": "Enabled and disabled accounts", "Scope": "All accounts of the tenant"}
    wrong = [label for label, text in wanted.items() if facts.get(label) != text]
    wrong += [name for name in job["columns"] if f'Column "{name}"' not in facts]
    if rows[0] != ["About this export"] or not facts["Rows"].startswith(f"{job['rows']:,}.") or wrong:
        check.fail(f"the sheet about the export is wrong: {wrong or rows}")
    return rows


def many(check, administrators):
    database = Database("readers")
    administer(database, "migrate", "--with-directory")
    administer(database, "demo-data", "--tenant", "acme", "--administrators", str(administrators))
    file = SCRATCH / f"demo-{administrators}.xlsx"
    with Service(database, "demo", {}) as service:
        job = service.export("acme", file)
    check.workbook(file, job, Expected(database, "acme", with_references=False), streams=True)


def main():
    options = arguments()
    # Leave through the context managers at SIGTERM, so that they stop the daemon.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    check = Check(options)
    if options.administrators:
        many(check, options.administrators)
    else:
        nasty(check)
    sys.exit(check.failed)


if __name__ == "__main__":
    main()
