# Runs PostgreSQL until standard input, a pipe from the owner, is closed. The kernel closes the pipe when the owner
# ends, even by SIGKILL, so no process and no temporary file is left.
folder=$1 bin=$2 ctype=$3 storage=$4
shift 4

[ "$storage" = temporary ] && signal=QUIT || signal=INT

# Signals to the process group are for PostgreSQL, which sets its own handlers. Only the pipe ends the supervisor.
trap '' HUP INT QUIT TERM

# Standard output is the folder's lock. It is moved to descriptor 4, which PostgreSQL does not inherit, so that a
# PostgreSQL without supervisor does not hold the lock. Standard input is moved to 3, because a background job has none.
exec 3<&0 </dev/null 4>&1 >&2
{
    read -r _ <&3
    # Repeated, because PostgreSQL may not have been running yet.
    while kill -s "$signal" 0 && sleep 1 && kill -s 0 $$; do :; done
} &
exec 3<&-

# Renamed when complete, so that an interrupted initdb leaves no data folder. No sync, which would take seconds.
initialise() {
    "$bin/initdb" --pgdata="$folder/data.new" --username=postgres --pwfile="$folder/password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C --lc-ctype="$ctype" --no-sync >/dev/null 4>&- &&
        mv "$folder/data.new" "$folder/data"
}

[ -e "$folder/data" ] || initialise && "$bin/postgres" -D "$folder/data" "$@" 4>&-

[ "$storage" = temporary ] && rm -rf "$folder"
kill -s KILL 0 # The background job, its sleep, and this shell.
