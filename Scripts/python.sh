#!/usr/bin/env bash
# Creates .venv unless it exists, and installs those of the packages that it lacks. If a package cannot be installed, the script prints
# its name and continues; the programs that need the package report that it is missing.
#
# usage: Scripts/python.sh [--no-deps] PACKAGE…
set -euo pipefail

if [ ! -x .venv/bin/python3 ]; then python3 -m venv .venv; fi
pip=(.venv/bin/python3 -m pip --quiet --disable-pip-version-check)
options=()
if [ "${1:-}" = --no-deps ]; then
    options=("$1")
    shift
fi
for package in "$@"; do
    if ! "${pip[@]}" show "$package" >/dev/null 2>&1; then
        "${pip[@]}" install "${options[@]}" "$package" || echo "python.sh: cannot install $package" >&2
    fi
done
