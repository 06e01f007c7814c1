#!/usr/bin/env bash
# Installs those of the packages that are missing, on Debian and Ubuntu. The Makefile names the packages.
#
# usage: Scripts/install-requirements.sh PACKAGE…
set -euo pipefail

missing=()
for package in "$@"; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then missing+=("$package"); fi
done
if [ "${#missing[@]}" -eq 0 ]; then exit 0; fi

if ! command -v apt-get >/dev/null; then
    echo "apt-get is missing on this system; install the packages that have these names in Debian: ${missing[*]}" >&2
    exit 1
fi
run() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
echo "Installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
run apt-get update -qq
run apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
