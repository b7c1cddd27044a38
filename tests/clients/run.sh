#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run.sh [PATTERN]: real clients against peers that hang, bare and under the shim: the matrix of
# `make check-clients`, F=PATTERN of its rows (a regular expression). JOBS cells at a time.
#
# TMO_LIB and TMO_BUILD say what is tested. All that a cell left behind is in
# $TMO_BUILD/clients/NAME/PEER: what the client said bare and under the shim, and the log.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
TMO_LIB=${TMO_LIB:-$root/libsocktmo.so}
TMO_BUILD=${TMO_BUILD:-$root/build}
JOBS=${JOBS:-12}
pattern=${1-}
CELLS=$TMO_BUILD/clients
BIG=$CELLS/big
export TMO_LIB TMO_BUILD CELLS BIG

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
        program=${words[0]/'{build}'/$CELLS}
        if ! command -v "$program" >/dev/null; then
            skipped+=("$name: $program is not installed")
            break
        fi
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
    echo "$cell ${OUT[${cell%/*}]:--} $(cat "$CELLS/$cell/result" 2>/dev/null || echo 'none 0')"
done >"$CELLS/results"
for line in "${skipped[@]+"${skipped[@]}"}"; do
    echo "skipped: $line (sh tests/setup.sh clients)"
done
echo "${#cells[@]} cells, $JOBS at a time, in $took s; what each left is in $CELLS"
awk -v peers="${PEERS[*]}" -v whole="$([[ -n $pattern ]] || echo yes)" \
    -f "$here/matrix.awk" "$root/docs/CLIENTS.md" "$CELLS/results"
