#!/usr/bin/env python3
"""Send valid and invalid requests to a service, and check that its replies conform to proto-docs/protocol.md.

The program uses only the socket. It needs Python 3.9 and no packages, and prints TAP version 14. After every case, it
checks that the service answers another connection. It starts and deletes exports in the name of the administrators that
you name, so use a tenant for tests.
"""
import argparse
import importlib
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

import suite  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket", help="the path of the service's socket")
    parser.add_argument("--tenant", default="acme", help="slug of the tenant (default: %(default)s)")
    parser.add_argument("--administrator", default="owner@acme.example", help="an administrator who may export all administrators (default: %(default)s)")
    parser.add_argument("--other", default="europe@acme.example", help="another administrator who may export (default: %(default)s)")
    parser.add_argument("--without", default="nobody@acme.example", help="an administrator who may not export (default: %(default)s)")
    parser.add_argument("--foreign", default="globex:owner@globex.example", metavar="TENANT:E-MAIL",
                        help="an administrator of another tenant who may export (default: %(default)s)")
    parser.add_argument("--filter", default="", metavar="TEXT", help="run only the cases whose name contains TEXT")
    parser.add_argument("--file", metavar="NAME", help="run only the cases of cases/NAME.py")
    parser.add_argument("--slow", action="store_true", help="also run the cases that wait for limits of more than 5 s")
    parser.add_argument("--list", action="store_true", help="list the cases for this service, and run none")
    options = parser.parse_args()
    service = suite.Service(options.socket, options)
    modules = sorted(path.stem for path in (FOLDER / "cases").glob("*.py"))
    if options.file and options.file not in modules:
        parser.error(f"there is no file {options.file}: choose one of {', '.join(modules)}")
    for module in [options.file] if options.file else modules:
        # Some modules create their cases from the service's own description.
        getattr(importlib.import_module(f"cases.{module}"), "prepare", lambda _: None)(service)
    if options.list:
        print(*(name for name, _ in suite.CASES if options.filter in name), sep="\n")
        return 0
    return 1 if suite.run(service, options.filter) else 0


if __name__ == "__main__":
    sys.exit(main())
