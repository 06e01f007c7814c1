#!/usr/bin/env bash
# Runs a command with a private PostgreSQL: a cluster in a temporary folder, which listens on a Unix socket and not on TCP.
# When the command ends, for whatever reason, the script stops the cluster and removes the folder.
#
# usage: [PG_BIN=FOLDER] [PG_LOG=FILE] Scripts/postgres.sh COMMAND [ARGUMENT…]
#
# Variables that you can set:
#   PG_BIN         the folder of PostgreSQL's programs (default: initdb in PATH, or the newest installed version)
#   PG_LOG         a file to which the script writes the server's log when the command ends, with every statement and its parameters
#
# Variables that the script sets for the command:
#   PG_SOCKET_DIR  the folder of the socket
#   PG_SUPERUSER   the cluster's superuser, which needs no password; members of the role with_password need one
#   PG_BIN         the folder of PostgreSQL's programs
#   PG_DATA        the cluster's data folder
#   SCRATCH        a temporary folder for the command, which the script removes too
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

# PostgreSQL refuses to run as root. If the caller is root, the user postgres of the Debian package runs it.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

stop() {
    local status=$?
    trap - EXIT
    # Errors do not matter here: the server may not have started, and the command may have removed its data.
    as_postgres "$PG_BIN/pg_ctl" -D "$PG_DATA" -m immediate -w stop >/dev/null 2>&1 || true
    if [ -n "${PG_LOG:-}" ]; then cp "$PG_SOCKET_DIR/log" "$PG_LOG" || true; fi
    rm -rf "$SCRATCH"
    exit "$status"
}

find_programs
# The script ignores TMPDIR, because the path of a socket must be short.
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
# Members of with_password log in with a password, as the services do over TCP.
local all +with_password scram-sha-256
local all all            trust
local replication all    trust
HBA
as_postgres tee -a "$PG_DATA/postgresql.conf" >/dev/null <<'CONF'
max_connections = 600
log_min_messages = fatal
CONF
if [ -n "${PG_LOG:-}" ]; then
    as_postgres tee -a "$PG_DATA/postgresql.conf" >/dev/null <<'CONF'
log_min_messages = log
log_statement = all
log_line_prefix = '%m [%p] %u %d '
CONF
fi
as_postgres "$PG_BIN/pg_ctl" -D "$PG_DATA" -w -t 60 -l "$PG_SOCKET_DIR/log" \
    -o "-c listen_addresses='' -k '$PG_SOCKET_DIR'" start >/dev/null
"$PG_BIN/psql" -h "$PG_SOCKET_DIR" -U "$PG_SUPERUSER" -d postgres -q -c 'CREATE ROLE with_password'

"$@"
