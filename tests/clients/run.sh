#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run.sh [PATTERN]: real clients against peers that hang, bare and under the preload, or where
# `socktmo doctor` says that no preload reaches them under the guard: the matrix of
# `make check-clients`, F=PATTERN of its rows (a regular expression). JOBS cells at a time.
#
# TMO_LIB, TMO_BIN and TMO_BUILD say what is tested. All that a cell left behind is in
# $TMO_BUILD/clients/NAME/PEER: what the client said bare and the other time, and the log.
#
# TMO_ENGINE=watchdog makes the same of that engine: SOCKTMO_ENGINE is set in each cell under the
# preload, and the shares are judged, but not which cells make them up.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
TMO_LIB=${TMO_LIB:-$root/libsocktmo.so}
TMO_BIN=${TMO_BIN:-$root/socktmo}
TMO_BUILD=${TMO_BUILD:-$root/build}
TMO_ENGINE=${TMO_ENGINE-}
JOBS=${JOBS:-12}
pattern=${1-}
CELLS=$TMO_BUILD/clients
BIG=$CELLS/big
export TMO_LIB TMO_BIN TMO_BUILD TMO_ENGINE CELLS BIG

# shellcheck source=tests/clients/peers.bash
. "$here/peers.bash"
# shellcheck source=tests/clients/table.bash
. "$here/table.bash"

say() {
    echo "check-clients: $*" >&2
}

# --- what all cells share -------------------------------------------------------------------------

mkdir -p "$CELLS/peers" "$CELLS/classes"
rm -f "$CELLS/peers"/* "$CELLS/hold"
mkfifo "$CELLS/hold"
# The peers end when this ends, however it ends: descriptor 8 is their standard input.
exec 8<>"$CELLS/hold"
truncate -s 64M "$BIG"
if command -v javac >/dev/null; then
    javac -d "$CELLS/classes" "$here/programs/Client.java"
fi
bash "$here/build.sh" "$CELLS/built" "${BUILT[@]}"

# start_peer PEER PROTOCOL: leaves the port in a file of its key, unless it is there.
start_peer() {
    local key word port
    local -a arguments

    key=$(peer_key "$1" "$2")
    [[ ! -e $CELLS/peers/$key ]] || return 0
    mapfile -t arguments < <(peer_arguments "$1" "$2")
    exec 7< <(exec "$TMO_BUILD/tests/peer" "${arguments[@]}" --life 1800 <"$CELLS/hold" 8>&-)
    read -r -t 5 -u 7 word port || { say "peer $key was not ready within 5 s" && exit 2; }
    exec 7<&-
    [[ $word == port ]] || { say "peer $key says '$word $port'" && exit 2; }
    echo "$port" >"$CELLS/peers/$key"
}

# --- which cells ----------------------------------------------------------------------------------

# how_of PROGRAM: sets how to how the doctor says that it is reached, or reason to why it is not.
declare -A asked=()
how_of() {
    local status=0

    reason=
    if [[ -e $1.lacks ]]; then
        reason=$(<"$1.lacks")
        return
    elif ! command -v "$1" >/dev/null; then
        reason="$1 is not installed (sh tests/setup.sh clients)"
        return
    fi
    if [[ -z ${asked[$1]-} ]]; then
        "$TMO_BIN" doctor "$1" >/dev/null || status=$?
        asked[$1]=$status
    fi
    case ${asked[$1]} in
    0) how=preload ;;
    1) how=guard ;;
    *) reason="doctor says ${asked[$1]} of $1" ;;
    esac
}

cells=()
skipped=()
for name in "${ROWS[@]}"; do
    [[ $name =~ $pattern ]] || continue
    rm -rf "${CELLS:?}/$name"
    for peer in "${PEERS[@]}"; do
        command=${COMMAND[$name/$peer]-}
        [[ -n $command ]] || continue
        eval "words=($command)"
        # shellcheck disable=SC2154 # set by the eval
        how_of "${words[0]/'{build}'/$CELLS}"
        if [[ -n $reason ]]; then
            skipped+=("$name: $reason")
            break
        fi
        mkdir -p "$CELLS/$name"
        echo "$how" >"$CELLS/$name/how"
        start_peer "$peer" "${PROTOCOL[$name]}"
        [[ $peer != half || -z ${LOAD[$name]-} ]] || start_peer cut "${PROTOCOL[$name]}"
        cells+=("$name/$peer")
    done
done
[[ ${#cells[@]} -gt 0 ]] || { say "no client matches '$pattern'" && exit 2; }

began=$SECONDS
printf '%s\n' "${cells[@]}" | xargs -P "$JOBS" -I{} bash "$here/cell.sh" {} 8>&-
took=$((SECONDS - began))

# --- the matrix -----------------------------------------------------------------------------------

for cell in "${cells[@]}"; do
    echo "$cell $(<"$CELLS/${cell%/*}/how") $(cat "$CELLS/$cell/result" 2>/dev/null || echo 'none 0')"
done >"$CELLS/results"
for line in "${skipped[@]+"${skipped[@]}"}"; do
    echo "skipped: $line"
done
echo "${#cells[@]} cells, $JOBS at a time, in $took s; what each left is in $CELLS"
awk -v peers="${PEERS[*]}" -v engine="$TMO_ENGINE" -v whole="$([[ -n $pattern ]] || echo yes)" \
    -f "$here/matrix.awk" "$root/docs/CLIENTS.md" "$CELLS/results"
