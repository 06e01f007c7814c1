#!/usr/bin/env bash
# Runs every test; called through Scripts/postgres.sh, which gives the database. What failed stands once more at the end.
#
# usage: Scripts/postgres.sh Scripts/test.sh [ARGUMENTS OF swift test…]
set -euo pipefail

unset "${!ADMINEXPORT_@}"
# Readers of workbooks that were not written here.
Scripts/python.sh openpyxl python-calamine
export TEST_PYTHON=$PWD/.venv/bin/python3
export TEST_BIN=$PWD/.build/debug
# Each test has a database, many a service: more side by side than this only wait for the cores.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT
status=0
swift test --skip-build "$@" 2>&1 | tee "$printed" || status=$?
if [[ $status != 0 ]]; then
    printf '\nWhat failed:\n'
    # An issue, and what the test says of it on the lines below.
    grep -A 6 '✘' "$printed" | grep -Ev '✔|◇' | tail -n 120 || tail -n 40 "$printed"
fi
exit "$status"
