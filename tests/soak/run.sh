#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run.sh SECONDS: a server, clients with threads and children, some of which are killed, all under
# the library for SECONDS; then the books: each connection that anybody had is a close record of
# that process, or was open in a process that was killed. Nothing is lost, and the server has no
# more descriptors or memory than after the first round.
#
# TMO_LIB and TMO_BUILD say what is tried.
set -euo pipefail

seconds=${1:?usage: run.sh SECONDS}
soak=$TMO_BUILD/soak
round_s=10 clients=4
may_grow_kib=256 # what the threads' stacks and libc take meanwhile

work=$(mktemp -d)
trap 'exec 6>&-; rm -rf "$work"' EXIT
cd "$work"
unset "${!SOCKTMO_@}"
mkfifo commands
: >log
: >ledger
: >killed

under=(env "LD_PRELOAD=${TMO_PRELOAD:+$TMO_PRELOAD:}$TMO_LIB" SOCKTMO_TIMEOUT=8s
    SOCKTMO_LOG="$work/log" "SOCKTMO_EVENTS=close,timeout")

fail() {
    echo "soak: $1" >&2
    exit 1
}

# pause: until what is asked again and again may be otherwise.
pause() {
    read -r -t 0.02 -u 5 || true
}
mkfifo never
exec 5<>never

"${under[@]}" "$soak" server ledger <commands >answers &
server=$!
exec 6>commands
until [[ -s answers ]]; do
    kill -0 "$server" || fail 'the server did not start'
    pause
done
port=$(<answers)

# state: sets fds and kib.
state() {
    local before after
    before=$(wc -l <answers)
    echo state >&6
    until after=$(wc -l <answers) && ((after > before)); do
        kill -0 "$server" 2>/dev/null || fail 'the server ended'
        pause
    done
    read -r fds kib < <(tail -n 1 answers)
}

# settled: waits until all that the clients began is over at the server.
settled() {
    local tries
    for ((tries = 0; tries < 500; tries++)); do
        state
        if ((fds == idle_fds)) && ! pgrep -P "$server" >/dev/null; then
            return
        fi
        pause
    done
    fail "the server has $fds descriptors 10 s after its clients left, not $idle_fds"
}

# one_client SEED: of three one is killed; one of the others that lasts for a minute has failed.
one_client() {
    local ms=$((200 + RANDOM % 1500)) cut=60 status=0 killed=-
    (($1 % 3 != 0)) || { cut=0.$((1 + RANDOM % 9)) && killed=137; }
    # shellcheck disable=SC2016 # the inner shell's
    timeout -s KILL "$cut" bash -c 'echo $$ >"pid.$1"; shift; exec "$@"' - "$1" \
        "${under[@]}" "$soak" client ledger "$port" "$1" "$ms" 2>>errors || status=$?
    case $status in
    0) ;;
    "$killed") cat "pid.$1" >>killed ;; # and with it its children: the ledger knows whose they are
    *) echo "$1" >>failed ;;
    esac
    rm -f "pid.$1"
}

# accounts: holds the log against the ledger, and empties both.
accounts() {
    local torn dead

    # A process that is killed while it writes leaves its line up to the end of a page, and the next
    # record comes right behind that (Linux 6.18, mm/filemap.c, generic_perform_write).
    sed 's/\(.\){"ts":"/\1\n{"ts":"/g' log | tee lines | jq -cR 'fromjson? // empty' >whole
    torn=$(($(wc -l <lines) - $(wc -l <whole)))
    awk '$2 == "child"' ledger >children
    dead=$(awk 'FILENAME == "killed" { is[$1] = ++n; next } $3 in is { n++ } END { print n + 0 }' \
        killed children)
    ((torn <= dead)) || fail "$torn lines are no records, and $dead processes were killed"
    jq -r 'select(.event == "close" and .dir != "listen")
        | "\(.pid) \(.dir) \(.local) \(.peer)"' whole | sort | uniq -c >closed
    awk '$2 != "child"' ledger | sort | uniq -c >opened
    jq -c 'select((.lost // 0) > 0)' whole >lost
    [[ ! -s lost ]] || fail "records were lost: $(head -n 3 lost)"
    jq -c 'select(.event == "timeout")' whole >limits
    [[ ! -s limits ]] || fail "a limit was hit: $(head -n 3 limits)"
    awk '
        FILENAME == "killed" { killed[$1] = 1; next }
        FILENAME == "children" { if ($3 in killed) killed[$1] = 1; next }
        FILENAME == "opened" { open[$2 " " $3 " " $4 " " $5] = $1; opened += $1; next }
        { closed[$2 " " $3 " " $4 " " $5] = $1; records += $1 }
        END {
            for (key in open) {
                split(key, part, " ")
                missing = open[key] - closed[key]
                if (missing == 0)
                    continue
                if (missing > 0 && part[1] in killed) {
                    held[part[1]] += missing
                    in_killed += missing
                    continue
                }
                printf "soak: %s: %d times in the ledger, %d in the log\n", key, open[key], closed[key]
                bad = 1
            }
            for (key in closed)
                if (!(key in open)) {
                    printf "soak: %s: in the log, not in the ledger\n", key
                    bad = 1
                }
            for (pid in held)
                if (held[pid] > 5) { # four threads, and main
                    printf "soak: %d: %d connections open when it was killed\n", pid, held[pid]
                    bad = 1
                }
            printf "%d connections: %d close records, %d open in a process that was killed\n", opened,
                records, in_killed
            exit bad || opened == 0 || opened != records + in_killed
        }' killed children opened closed >&2 || fail 'the books do not agree'
    : >ledger
    : >log
    : >killed
}

state
idle_fds=$((fds + 1)) # with that of the log, when it is there
first_kib=
seed=${SEED:-$RANDOM}
echo "soak: $seconds s, seed $seed" >&2
end=$((SECONDS + seconds))
while ((SECONDS < end)); do
    round_end=$((SECONDS + round_s < end ? SECONDS + round_s : end))
    pids=()
    while ((SECONDS < round_end)); do
        for ((i = 0; i < clients; i++)); do
            one_client "$seed" 2>/dev/null & # bash says who was killed
            pids+=($!)
            ((++seed))
        done
        wait "${pids[@]}"
        pids=()
    done
    [[ ! -s failed ]] || fail "clients failed, of the seeds $(paste -sd ' ' failed): $(<errors)"
    settled
    accounts
    first_kib=${first_kib:-$kib}
    ((kib <= first_kib + may_grow_kib)) ||
        fail "the server has $kib KiB of its own, after the first round it had $first_kib"
done
exec 6>&-
wait "$server" || fail "the server ended with status $?"
echo "soak: ok; the server has $kib KiB of its own, after the first round it had $first_kib"
