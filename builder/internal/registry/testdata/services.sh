#!/bin/bash
# Starts a PostgreSQL server and an S3 server on loopback, runs a command with
# their addresses in the environment, stops both and returns its status:
#
#	services.sh build/tools/versitygw go test ./builder/internal/registry/...
#
# PostgreSQL comes from the system's packages and runs as an unprivileged user;
# everything lies in a folder that is removed at the end.
set -euo pipefail
gateway=$(realpath "$1")
shift
dir=$(mktemp -d -t cloister-services.XXXXXX)
pids=()
finish() {
	status=$?
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
	[ ${#pids[@]} = 0 ] || wait "${pids[@]}" 2>/dev/null || true
	[ $status = 0 ] || tail -n 20 "$dir"/*.log >&2 2>/dev/null || true
	rm -rf "$dir"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

# free prints a port of loopback that nobody listens on.
free() {
	local port
	for _ in $(seq 100); do
		port=$((20000 + RANDOM % 20000))
		(exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null || { echo $port; return; }
	done
	echo "services: no free port" >&2
	exit 1
}
# ready waits until somebody listens on a port.
ready() {
	for _ in $(seq 300); do
		(exec 3<>/dev/tcp/127.0.0.1/"$2") 2>/dev/null && return
		kill -0 "$3" 2>/dev/null || break
		sleep 0.1
	done
	echo "services: $1 does not start" >&2
	exit 1
}

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || { echo "services: no PostgreSQL: make setup installs it" >&2; exit 1; }
mkdir "$dir/postgres" "$dir/s3" "$dir/s3/cloister" "$dir/sidecar"
password=$(od -An -tx1 -N16 /dev/urandom | tr -d ' \n')
echo "$password" > "$dir/password"
as=()
if [ "$(id -u)" = 0 ]; then # it refuses to run as root
	chmod 711 "$dir"
	chown -R postgres "$dir/postgres" "$dir/password"
	as=(runuser -u postgres --)
fi
(cd "$dir/postgres" && "${as[@]}" "$bin/initdb" --pgdata="$dir/postgres/data" --username=cloister --auth=scram-sha-256 --pwfile="$dir/password" --no-sync --encoding=UTF8 --locale=C) > "$dir/initdb.log" 2>&1
port=$(free)
(cd "$dir/postgres" && exec "${as[@]}" "$bin/postgres" -D "$dir/postgres/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off) > "$dir/postgres.log" 2>&1 &
pids+=($!)
s3port=$(free)
export AWS_ACCESS_KEY_ID=cloister AWS_SECRET_ACCESS_KEY=$password AWS_REGION=us-east-1
ROOT_ACCESS_KEY=cloister ROOT_SECRET_KEY=$password "$gateway" --quiet --port "127.0.0.1:$s3port" posix --sidecar "$dir/sidecar" "$dir/s3" > "$dir/s3.log" 2>&1 &
pids+=($!)
ready PostgreSQL "$port" "${pids[0]}"
ready "the S3 server" "$s3port" "${pids[1]}"
export CLOISTER_SERVICES=1
export CLOISTER_TEST_POSTGRES="postgres://cloister:$password@127.0.0.1:$port/postgres?sslmode=disable"
export CLOISTER_TEST_S3="s3://cloister?endpoint=http://127.0.0.1:$s3port&use_path_style=true"
"$@"
