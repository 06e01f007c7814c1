#!/usr/bin/env bash
# Runs every test; called through Scripts/postgres.sh, which gives the database.
#
# usage: Scripts/postgres.sh Scripts/test.sh [ARGUMENTS OF swift test…]
set -euo pipefail

unset "${!ADMINEXPORT_@}"
# Readers of workbooks that were not written here.
if [ ! -x .venv/bin/python3 ] || ! .venv/bin/python3 -c 'import openpyxl, python_calamine' 2>/dev/null; then
    python3 -m venv .venv
    .venv/bin/python3 -m pip install --quiet --disable-pip-version-check openpyxl python-calamine
fi
export TEST_PYTHON=$PWD/.venv/bin/python3
export TEST_BIN=$PWD/.build/debug
swift test --skip-build "$@"
