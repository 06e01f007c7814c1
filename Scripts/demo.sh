#!/usr/bin/env bash
# Runs the whole service on this machine for a minute: a private PostgreSQL, a generated tenant, the daemon, and an export with its signed
# receipt into the current folder, with the command-line program. `make demo` runs this script through Scripts/postgres.sh.
#
# usage: Scripts/postgres.sh Scripts/demo.sh [ADMINISTRATORS]
set -euo pipefail

administrators=${1:-100000}
bin=${BIN_DIR:-.build/release}
archives=$SCRATCH/archives
socket=$SCRATCH/adminexport.sock
mkdir "$archives"
unset "${!ADMINEXPORT_@}"

psql() { "$PG_BIN/psql" -h "$PG_SOCKET_DIR" -U "$PG_SUPERUSER" -v ON_ERROR_STOP=1 -q "$@"; }
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "Creating the database and a tenant of $administrators administrators"
psql -d postgres -c 'CREATE DATABASE demo'
export ADMINEXPORT_DATABASE_URL="postgresql:///demo?host=$PG_SOCKET_DIR&user=$PG_SUPERUSER"
"$bin/adminexportd" migrate --with-directory
"$bin/adminexportd" demo-data --tenant acme --administrators "$administrators"

say "Making the key that signs receipts"
"$bin/adminexportd" make-key --private "$SCRATCH/credentials/signing-key" --public "$SCRATCH/keys" | head -n 3
# The daemon finds the private key as a service manager would pass it.
export CREDENTIALS_DIRECTORY=$SCRATCH/credentials ADMINEXPORT_SIGNING_PUBLIC_KEYS=$SCRATCH/keys

say "Starting the service"
# The service has its own login, which has the two roles and no other rights.
psql -d demo -c 'CREATE ROLE demo LOGIN' -c 'GRANT adminexport_api, adminexport_worker TO demo'
export ADMINEXPORT_DATABASE_URL="postgresql:///demo?host=$PG_SOCKET_DIR&user=demo"
"$bin/adminexportd" check-config --archives "$archives"
"$bin/adminexportd" serve --socket "$socket" --archives "$archives" --log-level warning &
daemon=$!
stop() { kill "$daemon" 2>/dev/null && wait "$daemon" || true; }
trap stop EXIT

say "Exporting as owner@acme.example"
export ADMINEXPORT_SOCKET=$socket ADMINEXPORT_TENANT=acme ADMINEXPORT_AS=owner@acme.example
# The service is degraded until its worker has reported to the database, which it does shortly after the socket exists.
for _ in $(seq 100); do
    if "$bin/adminexport" health >/dev/null 2>&1; then break; fi
    sleep 0.1
done
"$bin/adminexport" health
files=$("$bin/adminexport" run --force --receipt --include-about)
file=${files%%$'\n'*}

say "The first rows of $file"
python3 Scripts/show-workbook.py "$file"

say "Verifying $file with its receipt"
"$bin/adminexport" verify "$file" "$file.receipt.json" --key "$SCRATCH"/keys/*.pem

say "Done: open ./$file with any spreadsheet program."
