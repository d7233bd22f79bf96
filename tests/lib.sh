# shellcheck shell=bash
# Shared by the demo, the tests and the bench: building, private servers, cleaning up. Sourced.
#
#   begin_run                 makes $RUN_DIR, which is removed with all its servers when the
#                             script ends, however it ends
#   build_extension           builds without warnings and installs
#   start_server NAME [CONF]  starts a server; its port becomes ${PORT[NAME]}
#   start_cluster N           starts shards s1..sN and a router that knows them
#   conninfo NAME [DBNAME]    prints a connection string (unix socket)

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
declare -A PORT
# Databases are UTF-8 whatever the caller's locale; pg_regress drops LC_ALL, so both are set.
export LANG=C.UTF-8 LC_ALL=C.UTF-8

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# initdb refuses root, so servers run as the unprivileged user of Debian's package then.
if [ "$(id -u)" = 0 ]; then SERVER_USER=postgres; else SERVER_USER=$(id -un); fi

# Runs a command as the servers' user, in the run's directory (its own may be unreadable to it).
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd "${RUN_DIR:-/}" && exec runuser -u "$SERVER_USER" -- "$@")
    else
        (cd "${RUN_DIR:-/}" && exec "$@")
    fi
}

install_dependencies() { # further packages
    "$ROOT/tests/install-dependencies" "$@"
    PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}
    [ -x "$PG_CONFIG" ] || PG_CONFIG=$(command -v pg_config) || die "pg_config not found"
    export PG_CONFIG
    PG_BIN=$("$PG_CONFIG" --bindir)
    PGXS_DIR=$("$PG_CONFIG" --pkglibdir)/pgxs
    export PG_BIN PGXS_DIR
    PATH=$PG_BIN:$PATH
    unset PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS PGSERVICE PGPASSWORD PGAPPNAME PGCLIENTENCODING
    export PGUSER=postgres
}

build_extension() {
    make -s -C "$ROOT" -j"$(nproc)" PG_CONFIG="$PG_CONFIG" EXTRA_CXXFLAGS=-Werror all
    if [ -w "$("$PG_CONFIG" --pkglibdir)" ]; then
        make -s -C "$ROOT" PG_CONFIG="$PG_CONFIG" install >/dev/null
    else
        sudo make -s -C "$ROOT" PG_CONFIG="$PG_CONFIG" install >/dev/null
    fi
}

# Builds the core library, unit tests, client programs, and the differential runner; without debugging
# information, which is a third of the time that their libraries' headers take.
build_programs() {
    cmake -S "$ROOT" -B "$ROOT/build" -DSHARDWISE_WERROR=ON -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_CXX_FLAGS_RELEASE=-O1 >/dev/null
    make -s --no-print-directory -C "$ROOT/build" -j"$(nproc)" >/dev/null
}

begin_run() {
    # Under the short name: a socket's path may have no more than 107 bytes.
    RUN_DIR=$(mktemp -d "${TMPDIR:-/tmp}/shardwise.XXXXXX")
    chmod 711 "$RUN_DIR"
    [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$RUN_DIR"
    trap end_run EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    start_guard
}

# Ends the servers even where the script itself is killed with -9 and its trap never runs.
start_guard() {
    setsid bash -c '
        while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 1; done
        find "$2" -name postmaster.pid 2>/dev/null | while read -r pid; do
            kill -QUIT "$(head -n 1 "$pid")" 2>/dev/null
            kill -CONT "$(head -n 1 "$pid")" 2>/dev/null # a test may have frozen it
        done
        [ ! -d "$2" ] || { sleep 2; rm -rf "$2"; }
    ' guard $$ "$RUN_DIR" </dev/null >/dev/null 2>&1 &
    disown
}

stop_server() { # data directory
    kill -CONT "$(head -n 1 "$1/postmaster.pid")" 2>/dev/null || true # a test may have frozen it
    as_server "$PG_BIN/pg_ctl" -D "$1" -m immediate -w stop >/dev/null 2>&1 || true
}

end_run() {
    local status=$? file
    trap - EXIT
    [ -n "${RUN_DIR:-}" ] || return 0
    # Servers of TAP tests lie deeper; they are here only if their test was interrupted.
    find "$RUN_DIR" -name postmaster.pid | while read -r file; do
        stop_server "$(dirname "$file")"
    done
    if [ "$status" != 0 ] && [ -n "${KEEP_LOGS:-}" ]; then
        mkdir -p "$KEEP_LOGS"
        cp "$RUN_DIR"/*.log "$KEEP_LOGS" 2>/dev/null || true
    fi
    rm -rf "$RUN_DIR"
    return 0
}

port_in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    while :; do
        port=$((10240 + RANDOM % 22000)) # below the range that the kernel gives to clients
        port_in_use "$port" || { echo "$port"; return; }
    done
}

# Makes one data directory; further servers are copies of it, which is quicker than initdb.
init_template() {
    [ ! -d "$RUN_DIR/template" ] || return 0
    # shellcheck disable=SC2086
    as_server "$PG_BIN/initdb" -D "$RUN_DIR/template" -U postgres -A trust --no-sync \
        -E UTF8 --locale=C.UTF-8 ${INITDB_OPTIONS:-} >/dev/null
}

start_server() { # name [extra configuration]
    local name=$1 directory=$RUN_DIR/$1 attempt
    init_template
    as_server cp -a "$RUN_DIR/template" "$directory"
    as_server tee -a "$directory/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$RUN_DIR'
cluster_name = '$name'
max_connections = 100
max_prepared_transactions = 100
wal_level = logical
max_replication_slots = 20
max_wal_senders = 20
max_worker_processes = 20
shared_buffers = 64MB
fsync = off
jit = off
${2:-}
CONF
    # Another process may take the port between the look and the start.
    for attempt in 1 2 3 4 5; do
        PORT[$name]=$(free_port)
        if as_server "$PG_BIN/pg_ctl" -D "$directory" -w -l "$RUN_DIR/$name.log" \
            -o "-p ${PORT[$name]}" start >/dev/null 2>&1; then
            return 0
        fi
    done
    tail -n 20 "$RUN_DIR/$name.log" >&2
    die "server $name does not start"
}

conninfo() { echo "host=$RUN_DIR port=${PORT[$1]} dbname=${2:-postgres} user=postgres"; }

sql() { # server statement [database]
    psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$(conninfo "$1" "${3:-postgres}")" -c "$2"
}

start_cluster() { # number of shards [extra configuration]
    local i
    for i in $(seq "$1"); do start_server "s$i" "${2:-}"; done
    start_server router "shared_preload_libraries = 'shardwise'
${2:-}"
    sql router "CREATE EXTENSION shardwise"
    for i in $(seq "$1"); do
        sql router "SELECT shardwise.add_shard('s$i',
            'host=127.0.0.1 port=${PORT[s$i]} dbname=postgres user=postgres')" >/dev/null
    done
}
