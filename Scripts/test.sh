#!/usr/bin/env bash
# Runs the tests, through Scripts/postgres.sh, which provides the database. Prints the failures again at the end.
#
# usage: Scripts/postgres.sh Scripts/test.sh [SWIFT-TEST-ARGUMENT…]
set -euo pipefail

unset "${!ADMINEXPORT_@}"
# Tests read workbooks with these independent readers.
Scripts/python.sh openpyxl python-calamine
export TEST_PYTHON=$PWD/.venv/bin/python3
export TEST_BIN=$PWD/.build/debug
# Each test has a database, and many have a service. More parallel tests would only wait for the cores.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT
status=0
swift test --skip-build "$@" 2>&1 | tee "$printed" || status=$?
if [[ $status != 0 ]]; then
    printf '\nFailures:\n'
    # Each issue, with the lines below that explain it.
    grep -A 6 '✘' "$printed" | grep -Ev '✔|◇' | tail -n 120 || tail -n 40 "$printed"
fi
exit "$status"
