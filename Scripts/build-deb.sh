#!/usr/bin/env bash
# Builds the Debian package into dist/.
#
# usage: Scripts/build-deb.sh [BIN_DIR=FOLDER] [VERSION=VERSION] [OUTPUT=FOLDER]
#
#   BIN_DIR  the folder of programs that are already built; without it, the script builds them in .build-static
#   VERSION  the package's version instead of that in debian/changelog, for tests of an upgrade
#   OUTPUT   the folder for the package (default: dist)
set -euo pipefail

bin_dir='' version='' output=dist
for argument in "$@"; do
    case $argument in
    BIN_DIR=*) bin_dir=$(realpath "${argument#*=}") ;;
    VERSION=*) version=${argument#*=} ;;
    OUTPUT=*) output=${argument#*=} ;;
    *) echo "build-deb.sh: unknown argument \"$argument\"; see the usage in the script" >&2 && exit 64 ;;
    esac
done
if [ -z "$bin_dir" ]; then
    make static
    bin_dir=$PWD/.build-static/release
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/adminexport"
cp -r debian Makefile Scripts systemd man Examples proto-docs README.md CHANGES.md OPERATIONS.md EVIDENCE.md ARCHITECTURE.md BENCHMARKS.md "$work/adminexport"
if [ -n "$version" ]; then sed -i "1s/([^)]*)/($version)/" "$work/adminexport/debian/changelog"; fi
# If make runs this script, its variables are in the environment and must not reach the package's build.
(cd "$work/adminexport" && env -u MAKEFLAGS -u MAKEOVERRIDES -u MAKELEVEL BIN_DIR="$bin_dir" dpkg-buildpackage --build=binary --no-sign --no-check-builddeps) >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
mkdir -p "$output"
cp "$work"/*.deb "$output"
ls "$output"/adminexport_*.deb
