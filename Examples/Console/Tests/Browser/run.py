"""The console's browser tests: what a person does, in a real Chromium, and what an attacker tries.

usage: Scripts/postgres.sh .venv/bin/python3 Examples/Console/Tests/Browser/run.py [--pictures FOLDER] [NAME…]

NAME is a test's, as console_test.Keyboard. Needs chromium and chromium-driver, and from PyPI selenium and openpyxl;
axe-playwright-python for the axe-core that it carries. CHECK_XLSX names a program in Python that checks workbooks against ECMA-376.
Without one of these two what needs it is named as skipped.
"""
import argparse
import pathlib
import sys
import unittest

import console_test
import http_test
from console import shared

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--pictures", type=pathlib.Path, help="a folder for pictures of what a person sees")
parser.add_argument("names", nargs="*")
options = parser.parse_args()
shared.pictures = options.pictures
if options.pictures:
    options.pictures.mkdir(parents=True, exist_ok=True)

loader = unittest.defaultTestLoader
suite = (loader.loadTestsFromNames(options.names) if options.names
         else unittest.TestSuite(loader.loadTestsFromModule(module) for module in (console_test, http_test)))
shared.start()
try:
    result = unittest.TextTestRunner(verbosity=2).run(suite)
finally:
    shared.stop()
skipped, failed = len(result.skipped), len(result.failures) + len(result.errors)
print(f"{result.testsRun - skipped - failed} passed, {failed} failed, {skipped} skipped")
sys.exit(0 if result.wasSuccessful() else 1)
