#!/usr/bin/env python3
"""Give several XLSX writers the same difficult inputs ("traps"), and check each file with the same judges.

usage: Benchmarks/traps.py [--json FILE] [--large] [--only A1,B3] [--writers NAME,NAME] [--keep FOLDER]

A trap is an input on which some writer is known to have made a file that Excel or another reader refuses, changes or
misreads (xlsxtraps/cases.py lists the traps with their sources). The program passes the input to each writer through the
calls that the writer's manual shows for text cells and date cells, in its mode of constant memory, in a child process
that runs for at most 120 seconds. The judges (xlsxtraps/judges) read only the finished file: its ZIP records, its XML,
and its cells as Excel would read them.

The table contains `ok`, `FAIL (what is wrong)`, or `n/a` if the writer's API cannot express the input. A refusal is `ok`
only if XLSX cannot represent the input. `--large` adds the sheet of more than a million rows.

Writers: adminexport (rows2xlsx from $WRITER_BIN_DIR, default Benchmarks/.build/release), libxlsxwriter (C, compiled by $CC or cc), and as
Python packages rustpy-xlsxwriter (for rust_xlsxwriter), openpyxl, XlsxWriter. The program skips a missing writer and prints
its name. To use another libxlsxwriter than the system's, set CPATH, LIBRARY_PATH and LD_LIBRARY_PATH.
The program needs Python 3.11 and no packages. The exit status is 1 if our own writer fails a trap, and 2 if it is not built.
"""
import argparse
import itertools
import json
import pathlib
import sys
import tempfile
import textwrap
import time
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib

from xlsxtraps import lines
from xlsxtraps.cases import CASES
from xlsxtraps.judges.trial import Trial
from xlsxtraps.package import Package
from xlsxtraps.writers import all_writers

#: The coarsest clock in a ZIP file ticks every two seconds.
TICK = 2.1


class Court:
    """Runs cases and keeps the files of inputs that more than one case uses."""

    def __init__(self, scratch, keep):
        self.scratch, self.keep = scratch, keep
        self.numbers = itertools.count(1)
        self.given = {}
        self.written = {}

    def input_file(self, input_):
        if input_ not in self.given:
            self.given[input_] = self.scratch / f"input-{len(self.given) + 1}.jsonl"
            lines.write(input_.make(), self.given[input_])
        return self.given[input_]

    def run(self, writer, case, input_):
        """(outcome, path), from a run before where the input is shared."""
        if (writer.name, input_) not in self.written:
            path = self.scratch / f"{case.id}-{writer.name}-{next(self.numbers)}.xlsx"
            self.written[writer.name, input_] = writer.run(self.input_file(input_), path), path
        return self.written[writer.name, input_]

    def try_input(self, writer, case, input_):
        """(verdict, reason) for one input of a case."""
        outcome, path = self.run(writer, case, input_)
        if outcome.kind == "n/a":
            return "n/a", outcome.reason
        if outcome.kind == "refused":
            return ("ok", "refused: " + outcome.reason) if input_.may_refuse else ("fail", "refuses: " + outcome.reason)
        if outcome.kind == "broken":
            return "fail", outcome.reason
        baseline = self.run(writer, case, case.baseline)[0].peak if case.baseline else 0
        again = self.second_run(writer, input_, path) if case.twice else None
        fault = judge(case, input_, path, outcome, baseline, again)
        if case.baseline and not fault:
            return "ok", f"{max(outcome.peak - baseline, 0) / 1024:.0f} MiB more than for 10 rows"
        return ("fail", fault) if fault else ("ok", "")

    def second_run(self, writer, input_, path):
        time.sleep(TICK)
        again = path.with_suffix(".again.xlsx")
        writer.run(self.input_file(input_), again)
        return again

    def verdict(self, writer, case):
        """The worst of the case's inputs, with the reason of the first such one."""
        if case.needs in writer.lacks:
            return {"verdict": "n/a", "reasons": [writer.lacks[case.needs]]}
        found = []
        for input_ in case.inputs:
            verdict, reason = self.try_input(writer, case, input_)
            found.append((verdict, f"{input_.label}: {reason}" if input_.label and reason else reason))
        for worst in ("fail", "ok"):
            reasons = [reason for verdict, reason in found if verdict == worst]
            if reasons:
                return {"verdict": worst, "reasons": [reason for reason in reasons if reason]}
        return {"verdict": "n/a", "reasons": [reason for _, reason in found]}

    def tidy(self, case):
        """Large files go as soon as all writers are judged."""
        if not self.keep and (case.large or case.baseline):
            for file in self.scratch.glob("*"):
                if file.suffix in (".jsonl", ".tokens", ".xlsx") and file.stat().st_size > 1_000_000:
                    file.unlink()


def judge(case, input_, path, outcome, baseline, again):
    try:
        given = [] if case.baseline else list(input_.make())
        return case.judge(Trial(Package(path), given, outcome.report, outcome.peak, baseline, again))
    except ElementTree.ParseError as error:
        return f"XML is not well-formed: {error}"
    except (zipfile.BadZipFile, zlib.error) as error:
        return f"broken archive: {error}"
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return f"unreadable: {type(error).__name__}: {error}"


def cell(result):
    if result["verdict"] != "fail":
        return result["verdict"]
    first, more = result["reasons"][0], len(result["reasons"]) - 1
    first = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in first)
    return f"FAIL ({textwrap.shorten(first, 60, placeholder='…')}{f', and {more} more' if more else ''})"


def table(cases, writers, results):
    rows = [["trap", *[writer.name for writer in writers]]]
    rows += [[f"{case.id} {case.name}", *[cell(results[case.id][writer.name]) for writer in writers]] for case in cases]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |" for row in rows)


def count(writer, results):
    verdicts = [result[writer.name]["verdict"] for result in results.values()]
    return {"failed": verdicts.count("fail"), "judged": len(verdicts) - verdicts.count("n/a")}


def save(path, cases, writers, results):
    told = {
        "writers": {writer.name: {"version": writer.version, **count(writer, results)} for writer in writers},
        "traps": [{"id": case.id, "name": case.name, "source": case.source, "results": results[case.id]} for case in cases],
    }
    path.write_text(json.dumps(told, indent=2, ensure_ascii=True) + "\n")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=pathlib.Path, help="write the results to this file, with every reason in full")
    parser.add_argument("--large", action="store_true", help="add the trap of more than a million rows")
    parser.add_argument("--only", help="run only these traps: ids, separated by commas")
    parser.add_argument("--writers", help="run only these writers: names, separated by commas")
    parser.add_argument("--keep", type=pathlib.Path, help="keep all files in this folder, which must be empty")
    return parser.parse_args()


def pick(names, items, key, what):
    """The items with the given names, or all items without names. An unknown name ends the program."""
    wanted = names.split(",") if names else [key(item) for item in items]
    unknown = set(wanted) - {key(item) for item in items}
    if unknown:
        sys.exit(f"traps.py: unknown {what}: {', '.join(sorted(unknown))}")
    return [item for item in items if key(item) in wanted]


def present(writers, scratch):
    """The writers that are installed. Prints the names of the others."""
    for writer in writers:
        writer.prepare(scratch)
        if writer.missing:
            print(f"skipped: {writer.name}: {writer.missing}", file=sys.stderr)
    return [writer for writer in writers if not writer.missing]


def hold(options, scratch):
    cases = pick(options.only, [case for case in CASES if options.large or options.only or not case.large],
                 lambda case: case.id, "trap")
    asked = pick(options.writers, all_writers(), lambda writer: writer.name, "writer")
    writers = present(asked, scratch)
    court = Court(scratch, options.keep)
    results = {}
    for case in cases:
        print(f"{case.id} {case.name}", file=sys.stderr)
        results[case.id] = {writer.name: court.verdict(writer, case) for writer in writers}
        court.tidy(case)
    print(table(cases, writers, results), end="\n\n")
    for writer in writers:
        counted = count(writer, results)
        print(f"{writer.name} {writer.version}".strip() + f": {counted['failed']} of {counted['judged']} traps failed")
    if options.json:
        save(options.json, cases, writers, results)
    if any(count(writer, results)["failed"] for writer in writers if writer.ours):
        return 1
    return 2 if any(writer.ours for writer in asked if writer.missing) else 0


def main():
    options = arguments()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        return hold(options, options.keep)
    with tempfile.TemporaryDirectory() as scratch:
        return hold(options, pathlib.Path(scratch))


if __name__ == "__main__":
    sys.exit(main())
