#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# build.sh FOLDER NAME…: compiles clients that no preload reaches into FOLDER, each of that name. For
# one that cannot be had here FOLDER/NAME.lacks says why, in a line, and the program is not there.
#
#     go-client, go-client-static     clients/programs/client.go, with cgo and without
#     static-client                   programs/client.c, linked statically
#     uring                           programs/uring.c
#
# What Go has compiled before is kept in $TMO_BUILD/go-cache.
set -u

tests=$(cd "$(dirname "$0")/.." && pwd)
folder=$1
shift
export GOCACHE=${TMO_BUILD:-$tests/../build}/go-cache GO111MODULE=off GOFLAGS='' GOTOOLCHAIN=local

# made WHAT COMMAND…: makes $program; what is lacking is WHAT.
made() {
    local why

    "${@:2}" >"$program.said" 2>&1 && return
    why=$(grep -v '^#' "$program.said" | tail -n 1)
    echo "$1${why:+: $why}" >"$program.lacks"
    rm -f "$program"
}

go_client() {
    command -v go >/dev/null || { echo 'go is not installed' >"$program.lacks" && return; }
    made 'go cannot build it' env CGO_ENABLED="$1" go build -o "$program" \
        "$tests/clients/programs/client.go"
}

uring() {
    made 'no headers of io_uring' cc -D_GNU_SOURCE -O1 -o "$program" "$tests/programs/uring.c"
    [[ ! -x $program ]] || "$program" probe >"$program.said" 2>&1 ||
        { echo "the kernel refuses io_uring: $(<"$program.said")" >"$program.lacks" && rm -f "$program"; }
}

mkdir -p "$folder"
for name; do
    program=$folder/$name
    rm -f "$program" "$program.lacks"
    case $name in
    go-client) go_client 1 ;;
    go-client-static) go_client 0 ;;
    static-client)
        made 'no static C library' cc -static -D_GNU_SOURCE -O1 -o "$program" "$tests/programs/client.c"
        ;;
    uring) uring ;;
    *) echo "build.sh: '$name'?" >&2 && exit 2 ;;
    esac
    rm -f "$program.said"
done
