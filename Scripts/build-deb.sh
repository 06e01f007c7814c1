#!/usr/bin/env bash
# Builds the Debian package into dist/.
#
# usage: Scripts/build-deb.sh [BIN_DIR=FOLDER] [VERSION=VERSION] [OUTPUT=FOLDER]
#
#   BIN_DIR  programs that are built already; else they are built, in .build-static
#   VERSION  another version than the changelog's, for tests of an upgrade
set -euo pipefail

bin_dir='' version='' output=dist
for argument in "$@"; do
    case $argument in
    BIN_DIR=*) bin_dir=$(realpath "${argument#*=}") ;;
    VERSION=*) version=${argument#*=} ;;
    OUTPUT=*) output=${argument#*=} ;;
    *) echo "build-deb.sh: what is $argument?" >&2 && exit 64 ;;
    esac
done
if [ -z "$bin_dir" ]; then
    make static
    bin_dir=$PWD/.build-static/release
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/adminexport"
cp -r debian Makefile Scripts systemd man Examples proto-docs README.md CHANGES.md OPERATIONS.md ARCHITECTURE.md "$work/adminexport"
if [ -n "$version" ]; then sed -i "1s/([^)]*)/($version)/" "$work/adminexport/debian/changelog"; fi
# A make that called this has told its own variables to those that it calls.
(cd "$work/adminexport" && env -u MAKEFLAGS -u MAKEOVERRIDES -u MAKELEVEL BIN_DIR="$bin_dir" dpkg-buildpackage --build=binary --no-sign --no-check-builddeps) >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
mkdir -p "$output"
cp "$work"/*.deb "$output"
ls "$output"/adminexport_*.deb
