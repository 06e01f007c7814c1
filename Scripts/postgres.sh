#!/usr/bin/env bash
# Runs a command with a private PostgreSQL: a cluster of its own in a temporary folder, on a Unix socket, without TCP.
# Everything is stopped and removed when the command ends, however it ends.
#
# usage: Scripts/postgres.sh COMMAND [ARGUMENT…]
#
# The command finds in its environment:
#   PG_SOCKET_DIR  the folder of the socket
#   PG_SUPERUSER   the cluster's superuser, who needs no password; members of the role with_password do
#   PG_BIN         the folder of PostgreSQL's programs; set before, it chooses them
#   PG_DATA        the cluster's data folder
#   SCRATCH        a folder for whatever it likes, removed too
set -euo pipefail

find_programs() {
    if [ -n "${PG_BIN:-}" ]; then return; fi
    local candidate
    for candidate in "$(dirname "$(command -v initdb || true)")" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
        if [ -x "$candidate/initdb" ]; then PG_BIN=$candidate; fi
    done
    if [ -z "${PG_BIN:-}" ]; then
        echo "PostgreSQL's server programs are missing: apt-get install postgresql" >&2
        exit 1
    fi
}

# PostgreSQL refuses to run as root; root runs it as the user that the package made.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

stop() {
    local status=$?
    trap - EXIT
    # The data may be half gone already, and a server that never started cannot be stopped.
    as_postgres "$PG_BIN/pg_ctl" -D "$PG_DATA" -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$SCRATCH"
    exit "$status"
}

find_programs
# /tmp, whatever TMPDIR says: a socket's path has little room.
SCRATCH=$(mktemp -d /tmp/adminexport.XXXXXX)
PG_SOCKET_DIR=$SCRATCH/pg
PG_DATA=$PG_SOCKET_DIR/data
PG_SUPERUSER=postgres
export SCRATCH PG_SOCKET_DIR PG_DATA PG_SUPERUSER PG_BIN
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

chmod 755 "$SCRATCH"
mkdir "$PG_SOCKET_DIR"
if [ "$(id -u)" = 0 ]; then chown postgres "$PG_SOCKET_DIR"; fi
as_postgres "$PG_BIN/initdb" -D "$PG_DATA" -U "$PG_SUPERUSER" -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$SCRATCH/initdb.log"
as_postgres tee "$PG_DATA/pg_hba.conf" >/dev/null <<'HBA'
# Logins of the group stand for those that a real installation has.
local all +with_password scram-sha-256
local all all            trust
local replication all    trust
HBA
as_postgres tee -a "$PG_DATA/postgresql.conf" >/dev/null <<'CONF'
max_connections = 600
log_min_messages = fatal
CONF
as_postgres "$PG_BIN/pg_ctl" -D "$PG_DATA" -w -t 60 -l "$PG_SOCKET_DIR/log" \
    -o "-c listen_addresses='' -k '$PG_SOCKET_DIR'" start >/dev/null
"$PG_BIN/psql" -h "$PG_SOCKET_DIR" -U "$PG_SUPERUSER" -d postgres -q -c 'CREATE ROLE with_password'

"$@"
