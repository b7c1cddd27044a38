#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# cell.sh NAME/PEER: one cell of the matrix. It runs the client bare, with a hard cut, and if it
# hangs there, once more under the preload, or where $CELLS/NAME/how says `guard` under
# `socktmo run --guard`, with the same limits. What came of it is one line in $CELLS/NAME/PEER/result:
#
#     OUTCOME MS DETAIL…
#
#     ends     bare, it ends by itself: there is nothing to cure
#     clean    ended in time, with a status or with a word of its own that tells of it
#     SILENT   ended in time, with status 0 and no word
#     TRUNC    a download that calls half an answer whole, which it does not when bare
#     late     ended by itself, but after its time, or a record says that a wait was too long
#     early    ended before any limit was over: not our doing
#     signal   died of a signal
#     HANG     had to be killed
#
# MS is how long it took from its first connection (or from its start, if there was none).
# run.sh exports CELLS, where all of this is kept, BIG, TMO_LIB, TMO_BIN, and TMO_ENGINE: who keeps
# the time under the preload, if not who does by default.
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/clients/peers.bash
. "$here/peers.bash"
# shellcheck source=tests/clients/table.bash
. "$here/table.bash"

LIMIT_MS=2000
TOTAL_MS=4000
# Twice the limit: who still waits then has no limit of its own that would be of interest.
BARE_S=4
# An error in a program's own words.
WORDS='time-? ?d? ?-?out|timed-?out|errno|error|fail|fatal|cannot|can.t|could ?n.t|could not|unable'
WORDS+='|refused|reset|unreachable|lost|closed|abort|broken|invalid|unexpected|denied|critical'
WORDS+='|warning|unavailable|not available|interrupted|terminated|disconnect|no response'

cell=$1
name=${cell%/*}
peer=${cell#*/}
how=$(<"$CELLS/$name/how")
folder=$CELLS/$cell
log=$folder/log
mkdir -p "$folder"
cd "$folder" || exit 2
rm -rf ./* # what an earlier run left

# Nothing of the caller's may decide a cell.
# shellcheck disable=SC2086 # names only
unset ${!SOCKTMO_@} http_proxy https_proxy ftp_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY
export LC_ALL=C TZ=UTC TERM=dumb HOME=$folder
PATH=/usr/bin:/bin:/usr/sbin:/sbin:$PATH

port_of() {
    cat "$CELLS/peers/$(peer_key "$1" "${PROTOCOL[$name]}")"
}

# run WHERE PEER CUT_MS [VAR=VALUE…]: the client against that peer, by LAUNCHER, killed after
# CUT_MS. What it says goes to WHERE.out; sets status, began_ms and ended_ms.
LAUNCHER=()
run() {
    local where=$1 port command=${COMMAND[$cell]} cut
    local -a words

    port=$(port_of "$2") || exit 2
    printf -v cut '%d.%03d' $(($3 / 1000)) $(($3 % 1000))
    shift 3
    # the words were written by printf %q, which quotes the braces
    command=${command//'\{port\}'/$port}
    command=${command//'\{big\}'/$BIG}
    command=${command//'\{programs\}'/$here/programs}
    command=${command//'\{build\}'/$CELLS}
    eval "words=($command)"
    mkdir -p "$where.files"
    began_ms=$((${EPOCHREALTIME/./} / 1000))
    case ${STDIN[$cell]} in
    hold) exec 0<>"$CELLS/hold" ;;
    zeros) exec 0</dev/zero ;;
    *) exec 0</dev/null ;;
    esac
    # timeout leads a process group, so that nothing that the client started is left either
    (cd "$where.files" && exec timeout -s KILL "$cut" env "$@" "${LAUNCHER[@]}" "${words[@]}") \
        <&0 >"$where.out" 2>&1 &
    wait $! 2>/dev/null
    status=$?
    ended_ms=$((${EPOCHREALTIME/./} / 1000))
    kill -KILL -- -$! 2>/dev/null
}

result() {
    echo "$*" >"$folder/result"
    exit 0
}

# first_ms: when the first connection of the log began, which the guard sees a little later than the
# kernel that keeps its waits; its start if there is none.
first_ms() {
    local first=

    [[ ! -s $log ]] || first=$(jq -rsR '[split("\n")[] | fromjson? | select(.age_ms != null)
        | ((.ts[0:19] + "Z" | fromdateiso8601) * 1000 + (.ts[20:23] | tonumber)) - ([.age_ms, .waited_ms] | max)]
        | min // empty' "$log")
    echo "${first:-$began_ms}"
}

# bad_waits: the timeout records whose wait was not its limit.
bad_waits() {
    [[ ! -s $log ]] || jq -rR 'fromjson? | select(.event == "timeout")
        | select(.waited_ms < .limit_ms or .waited_ms > .limit_ms * 1.1 + 50)
        | "\(.limit) \(.call) waited \(.waited_ms) of \(.limit_ms) ms"' "$log"
}

# spoke: it said a word of an error, in a line that is not ours.
spoke() {
    grep -av '^socktmo:' "$1" | grep -aiqE "$WORDS"
}

# --- bare -----------------------------------------------------------------------------------------

run bare "$peer" $((BARE_S * 1000))
[[ $status -eq 137 && $((ended_ms - began_ms)) -ge $((BARE_S * 1000)) ]] ||
    result ends $((ended_ms - began_ms)) "status $status: $(tail -n 1 bare.out | head -c 200)"

# --- under the preload, or the guard --------------------------------------------------------------

limit_ms=$LIMIT_MS
limits=("SOCKTMO_TIMEOUT=${LIMIT_MS}ms")
if [[ $peer == drip ]]; then
    limit_ms=$TOTAL_MS
    limits+=("SOCKTMO_TOTAL=${TOTAL_MS}ms")
fi
most_ms=$((limit_ms * 12 * WAITS[$cell] / 10 + 1000))
if [[ $how == preload ]]; then
    limits+=("LD_PRELOAD=$TMO_LIB" ${TMO_ENGINE:+"SOCKTMO_ENGINE=$TMO_ENGINE"})
fi
under() {
    [[ $how == preload ]] || LAUNCHER=("$TMO_BIN" run --guard)
    run "$1" "$peer" $((START[$cell] + most_ms + 500)) "${limits[@]}" "${@:2}" \
        "SOCKTMO_LOG=$log" SOCKTMO_EVENTS=close,timeout,connect
    LAUNCHER=()
}

under under
took_ms=$((ended_ms - $(first_ms)))
if [[ $status -eq 137 && $((ended_ms - began_ms)) -ge $((START[$cell] + most_ms)) ]]; then
    result HANG $took_ms "$(tail -n 1 under.out | head -c 200)"
elif [[ $status -gt 128 && $status -lt 160 ]]; then
    # git's own failures are 128, those of ssh 255
    result signal $took_ms "SIG$(kill -l $((status - 128)))"
fi
waits=$(bad_waits | head -n 1)
last=$(grep -av '^socktmo:' under.out | grep -aiE "$WORDS" | tail -n 1 | head -c 200)
[[ $took_ms -le $most_ms ]] || result late $took_ms "status $status, $last"
[[ -z $waits ]] || result late $took_ms "$waits"
[[ $took_ms -ge $((limit_ms - 50)) ]] ||
    result early $took_ms "status $status: $(tail -n 1 under.out | head -c 200)"
# A reset tells bare that the answer is not whole; our end of the connection has to tell as much.
if [[ $peer == half && ${LOAD[$name]-} == yes && $status -eq 0 ]]; then
    under_status=$status
    run cut cut $((BARE_S * 1000))
    [[ $status -eq 0 ]] || result TRUNC $took_ms "status 0 with half an answer, $status when reset"
    status=$under_status
fi
[[ $status -eq 0 ]] || result clean $took_ms "status $status, $last"
! spoke under.out || result clean $took_ms "status 0, $last"

# For those that never tell there is `action = exit`.
mv "$log" log.error
under exit SOCKTMO_ACTION=exit
result SILENT $took_ms "action=exit gives status $status"
