#!/usr/bin/env bash
# Makes .venv where there is none, and installs what it lacks of the packages. One that cannot be had is named and left out:
# whoever needs it says so.
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
        "${pip[@]}" install "${options[@]}" "$package" || echo "$package cannot be installed" >&2
    fi
done
