#!/usr/bin/env bash
# Runs a private PostgreSQL with a generated tenant, the service, and the console on a loopback address, until it is interrupted. It prints
# the address. `make console-demo` runs this script through Scripts/postgres.sh.
#
# usage: Scripts/postgres.sh Examples/Console/demo.sh [ADMINISTRATORS [PORT]]
set -euo pipefail

administrators=${1:-100000}
port=${2:-8080}
bin=${BIN_DIR:-.build/release}
console=${CONSOLE_BIN_DIR:-Examples/Console/.build/release}
archives=$SCRATCH/archives
socket=$SCRATCH/adminexport.sock
mkdir "$archives"
unset "${!ADMINEXPORT_@}"

psql() { "$PG_BIN/psql" -h "$PG_SOCKET_DIR" -U "$PG_SUPERUSER" -v ON_ERROR_STOP=1 -q "$@"; }

psql -d postgres -c 'CREATE DATABASE demo'
export ADMINEXPORT_DATABASE_URL="postgresql:///demo?host=$PG_SOCKET_DIR&user=$PG_SUPERUSER"
"$bin/adminexportd" migrate --with-directory
"$bin/adminexportd" demo-data --tenant acme --administrators "$administrators" >/dev/null
"$bin/adminexportd" demo-data --tenant globex --administrators 50 --seed 2 >/dev/null
psql -d demo -f Examples/Console/console-login.sql
psql -d demo -c 'CREATE ROLE demo LOGIN' -c 'GRANT adminexport_api, adminexport_worker TO demo'

# The key that signs receipts.
"$bin/adminexportd" make-key --private "$SCRATCH/credentials/signing-key" --public "$SCRATCH/keys" >/dev/null

export ADMINEXPORT_DATABASE_URL="postgresql:///demo?host=$PG_SOCKET_DIR&user=demo"
CREDENTIALS_DIRECTORY=$SCRATCH/credentials ADMINEXPORT_SIGNING_PUBLIC_KEYS=$SCRATCH/keys \
    "$bin/adminexportd" serve --socket "$socket" --archives "$archives" --log-level warning &
daemon=$!
stop() {
    kill "$daemon" ${web:+"$web"} 2>/dev/null || true
    wait || true
}
trap stop EXIT
for _ in $(seq 100); do
    if [ -S "$socket" ]; then break; fi
    sleep 0.1
done

echo "The console runs with $administrators administrators. Press Ctrl-C to stop it."
ADMINEXPORT_CONSOLE_DATABASE_URL="postgresql:///demo?host=$PG_SOCKET_DIR&user=adminexport_console" \
    "$console/adminexport-console" --demo-sign-in --listen "127.0.0.1:$port" --socket "$socket" &
web=$!
wait "$web"
