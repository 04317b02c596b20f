# Runs one PostgreSQL for as long as standard input, a pipe from its owner, is open. The kernel closes a pipe
# whatever ends the owner, SIGKILL included, so no process (and nothing temporary) stays behind.
folder=$1 bin=$2 ctype=$3 lifetime=$4
shift 4

[ "$lifetime" = temporary ] && signal=QUIT || signal=INT

# Signals to the whole group are for PostgreSQL, which sets its own handlers; the pipe alone ends the supervisor.
trap '' HUP INT QUIT TERM

# Standard output is the folder's lock, to be held until the end, though not by a PostgreSQL that outlives us.
# A job in the background would not get standard input.
exec 3<&0 </dev/null 4>&1 >&2
{
    read -r _ <&3
    # Again and again: PostgreSQL may have been about to start.
    while kill -s "$signal" 0 && sleep 1 && kill -s 0 $$; do :; done
} &
exec 3<&-

# An interrupted initdb leaves nothing that looks like data. Syncing would take seconds, for data still empty.
initialise() {
    "$bin/initdb" --pgdata="$folder/data.new" --username=postgres --pwfile="$folder/password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C --lc-ctype="$ctype" --no-sync >/dev/null 4>&- &&
        mv "$folder/data.new" "$folder/data"
}

[ -e "$folder/data" ] || initialise && "$bin/postgres" -D "$folder/data" "$@" 4>&-

[ "$lifetime" = temporary ] && rm -rf "$folder"
kill -s KILL 0 # The watcher, its sleep, and this shell.
