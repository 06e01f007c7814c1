#!/usr/bin/env bash
# Writes the programs' descriptions of themselves into the documents: proto-docs/openrpc.json, and the configuration keys in README.md
# and man/adminexport.yaml.5. Run it after a change of a wire method or of a configuration key.
set -euo pipefail
cd "$(dirname "$0")/.."

daemon=.build/debug/adminexportd
swift build --product adminexportd >&2
"$daemon" openrpc >proto-docs/openrpc.json

# replace FILE FIRST LAST TEXT: puts TEXT in place of the lines from FIRST up to, but without, LAST (regular expressions).
replace() {
    TEXT=$4 awk -v first="$2" -v last="$3" '
        $0 ~ first { printf "%s", ENVIRON["TEXT"]; skips = 1 }
        skips && $0 ~ last { skips = 0 }
        !skips' "$1" >"$1.new"
    mv "$1.new" "$1"
}
replace README.md '^[|] key [|] variable' '^$' "$("$daemon" config-reference --format markdown)
"
replace man/adminexport.yaml.5 '^[.]It Cm socket ' '^[.]It Cm callers$' "$("$daemon" config-reference --format mdoc)
"
