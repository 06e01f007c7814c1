#!/usr/bin/env python3
"""Ask a service that speaks adminexport's protocol right and wrong questions, and hold its answers to proto-docs/protocol.md.

Speaks to the socket and to nothing else; needs Python 3.9 and no packages. Prints TAP version 14. After every case the
service has to answer somebody else. Exports are started and deleted in the name of the administrators that are given, so
use a tenant that is there for trying.
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
    parser.add_argument("--administrator", default="owner@acme.example", help="one who may export all (default: %(default)s)")
    parser.add_argument("--other", default="europe@acme.example", help="another who may export (default: %(default)s)")
    parser.add_argument("--without", default="nobody@acme.example", help="one who may not export (default: %(default)s)")
    parser.add_argument("--foreign", default="globex:owner@globex.example", metavar="TENANT:E-MAIL",
                        help="one of another tenant who may export (default: %(default)s)")
    parser.add_argument("--filter", default="", metavar="TEXT", help="only cases whose name has the text")
    parser.add_argument("--slow", action="store_true", help="wait for limits of over 5 s too")
    parser.add_argument("--list", action="store_true", help="list the cases of this service, and run none")
    options = parser.parse_args()
    service = suite.Service(options.socket, options)
    for module in sorted(path.stem for path in (FOLDER / "cases").glob("*.py")):
        # Some cases are made from what the service says of itself.
        getattr(importlib.import_module(f"cases.{module}"), "prepare", lambda _: None)(service)
    if options.list:
        print(*(name for name, _ in suite.CASES if options.filter in name), sep="\n")
        return 0
    return 1 if suite.run(service, options.filter) else 0


if __name__ == "__main__":
    sys.exit(main())
