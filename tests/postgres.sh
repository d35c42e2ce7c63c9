#!/bin/sh
# A PostgreSQL cluster of its own for the tests, on a free port of the loopback, in a temporary folder.
#   tests/postgres.sh start         prints two lines: the URL of a superuser, and the folder
#   tests/postgres.sh stop FOLDER   ends the server and removes the folder
# Durability is switched off: what is tested here is SQL, not disks.
set -eu

fail() {
    echo "tests/postgres.sh: $1" >&2
    exit 1
}

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || fail 'no PostgreSQL server found; install the package postgresql')")

# initdb refuses to run as root.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
    else
        "$@"
    fi
}

free_port() {
    # The kernel names a free port; nothing else on this machine is likely to take it within a second.
    perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => 0)->sockport'
}

start() {
    folder=$(mktemp -d "${TMPDIR:-/tmp}/callspool-postgres.XXXXXX")
    [ "$(id -u)" != 0 ] || chown postgres "$folder"
    cd "$folder"
    as_server "$bin/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
        >"$folder/initdb.log" 2>&1 || fail "initdb failed, see $folder/initdb.log"
    port=$(free_port)
    as_server "$bin/pg_ctl" --pgdata="$folder/data" --log="$folder/server.log" --wait --silent --options="\
-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories= -c max_connections=1000 \
-c fsync=off -c synchronous_commit=off -c full_page_writes=off" start >/dev/null 2>&1 ||
        fail "the server did not start, see $folder/server.log"
    echo "postgres://postgres@127.0.0.1:$port/postgres"
    echo "$folder"
}

stop() {
    folder=${1%/}
    case "${folder##*/}" in
    callspool-postgres.*) ;;
    *) fail "'$folder' was not made by this script" ;;
    esac
    cd /
    as_server "$bin/pg_ctl" --pgdata="$folder/data" --mode=immediate --wait --silent stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}

case "${1:-}" in
start) start ;;
stop) stop "${2:?the folder that start printed}" ;;
*) fail "usage: tests/postgres.sh start | stop FOLDER" ;;
esac
