#!/usr/bin/env python3
"""Kill and stop processes, cut connections and fill disks, and check that no export is lost, made twice or wrong.

The scenarios use real processes and a real PostgreSQL. Run the program through Scripts/postgres.sh; see `make chaos`. It
needs debug builds, which can stop themselves at a named step. It prints a line of figures for each scenario.
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
    parser.add_argument("--short", action="store_true", help="run the short form, as make test does: short leases and fewer rounds")
    parser.add_argument("--only", default="", metavar="TEXT", help="run only the scenarios whose name contains TEXT")
    options = parser.parse_args()
    # Leave through the context managers at these signals, so that they stop all processes.
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
