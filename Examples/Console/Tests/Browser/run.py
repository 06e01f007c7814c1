"""Runs the tests of the console: what a user does in Chromium, and attacks.

usage: Scripts/postgres.sh .venv/bin/python3 Examples/Console/Tests/Browser/run.py [--pictures FOLDER] [NAME…]

NAME is the name of a test, such as console_test.Keyboard. The tests need chromium and chromium-driver, and selenium and openpyxl from
PyPI. The package axe-playwright-python contains axe-core. CHECK_XLSX names a Python program that checks workbooks against ECMA-376. The
tests that need one of these two are reported as skipped if it is missing.
"""
import argparse
import pathlib
import sys
import unittest

import console_test
import http_test
from console import shared

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--pictures", type=pathlib.Path, help="the folder for pictures of the pages")
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
