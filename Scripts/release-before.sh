#!/usr/bin/env bash
# Builds adminexportd of the revision before the newest migration, in .build-before, and prints the folder of the program.
#
# usage: Scripts/release-before.sh [REVISION]
set -euo pipefail

newest=$(ls Sources/Exports/Queue/Schema/[0-9]*.sql | tail -1)
revision=${1:-$(git log --follow --diff-filter=A --format=%H -1 -- "$newest")^}
folder=.build-before
if [ ! -e "$folder/source/Package.swift" ]; then
    git worktree prune
    git worktree add --quiet --detach --force "$folder/source" "$revision" >&2
else
    git -C "$folder/source" checkout --quiet --detach "$(git rev-parse "$revision")"
fi
swift build --package-path "$folder/source" --product adminexportd >&2
echo "$PWD/$folder/source/.build/debug"
