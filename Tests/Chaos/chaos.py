#!/usr/bin/env python3
"""Kill, stop, cut off and fill what adminexport stands on, and count what was lost, doubled or wrong. None may be.

Real processes against a real PostgreSQL. Called through Scripts/postgres.sh; see `make chaos`. The programs are debug builds,
which can be told to stop themselves at a step. Prints a line of figures for each scenario.
"""
import argparse
import importlib
import pathlib
import signal
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import system  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="the bounded part that make test runs: short leases and storms")
    parser.add_argument("--only", default="", metavar="TEXT", help="only scenarios whose name has the text")
    options = parser.parse_args()
    # Ends scenarios in order, so that nothing is left behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    folder = pathlib.Path(__file__).resolve().parent / "scenarios"
    failed = 0
    for module in sorted(path.stem for path in folder.glob("*.py")):
        for scenario in importlib.import_module(f"scenarios.{module}").SCENARIOS:
            name = f"{module}: {scenario.__doc__.splitlines()[0]}"
            if options.only not in name:
                continue
            start = time.monotonic()
            try:
                figures = scenario(system.Cluster(), options.short)
                text = ", ".join(f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items())
                print(f"ok   {name}\n     {text} [{time.monotonic() - start:.0f} s]", flush=True)
            except system.Skip as reason:
                print(f"skip {name}\n     {reason}", flush=True)
            except Exception:
                failed += 1
                traceback.print_exc(file=sys.stdout)
                print(f"FAIL {name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
