#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2154 # backquotes for sed; status and output are set by helpers.bash
#
# What stands in examples/ is used as it stands: its settings are accepted, its scripts run, and its
# client and server talk to each other with and without the shim.

load helpers

EXAMPLES=$TMO_ROOT/examples

# A server that is ended with the test. Sets SERVER_PORT.
server_start() {
    exec 7< <(exec env "$@" "$TMO_BUILD/examples/legacy-server" 0 3>&- 8>&-)
    own $!
    read -r -t 5 -u 7 _ SERVER_PORT
    exec 7<&-
}

# accepted VAR=VALUE…: `socktmo check` has nothing to say against these.
accepted() {
    bare "$@" -- "$TMO_BIN" check
    [[ $status -eq 0 ]] || fail "check refuses: $*"
}

# --- the legacy client and server -----------------------------------------------------------------

@test "client and server say the same bare and with limits that are never hit" {
    server_start
    bare -- "$TMO_BUILD/examples/legacy-client" 127.0.0.1 "$SERVER_PORT" "good day"
    [[ $status -eq 0 && $output == "you said: good day" ]] || fail "bare"

    server_start SOCKTMO_TIMEOUT=10s SOCKTMO_ACCEPT=off SOCKTMO_LOG="$PWD/server.log" \
        LD_PRELOAD="$TMO_LD_PRELOAD"
    under SOCKTMO_TIMEOUT=10s SOCKTMO_LOG="$PWD/log" -- \
        "$TMO_BUILD/examples/legacy-client" 127.0.0.1 "$SERVER_PORT" "good day"
    [[ $status -eq 0 && $output == "you said: good day" ]] || fail "under the shim"
    assert_records timeout 0
    assert_records close 1
    [[ $(record close .peer) == "127.0.0.1:$SERVER_PORT" ]] || fail "the client's peer"
}

@test "a silent client keeps others out of the server; with a limit only for that long" {
    server_start
    exec 6<>"/dev/tcp/127.0.0.1/$SERVER_PORT"
    TMO_CUT=2 bare -- "$TMO_BUILD/examples/legacy-client" 127.0.0.1 "$SERVER_PORT"
    [[ $status -eq 124 ]] || fail "bare, the second client was served"
    exec 6<&-

    server_start SOCKTMO_RECV=1s LD_PRELOAD="$TMO_LD_PRELOAD"
    exec 6<>"/dev/tcp/127.0.0.1/$SERVER_PORT"
    bare -- "$TMO_BUILD/examples/legacy-client" 127.0.0.1 "$SERVER_PORT"
    exec 6<&-
    [[ $status -eq 0 && $output == "you said: hello" ]] || fail "the second client was not served"
    assert_between 900 2600
}

# --- the settings in the files --------------------------------------------------------------------

@test "systemd drop-in: a service section with settings that are accepted" {
    local line
    local -a variables=()

    [[ $(grep -v -e '^#' -e '^$' "$EXAMPLES/systemd/override.conf" | head -n 1) == "[Service]" ]]
    while read -r line; do
        [[ $line == Environment=* ]] || fail "not an Environment= line: $line"
        # systemd splits at blanks and takes quotes away, as xargs does
        while read -r line; do
            [[ $line =~ ^[A-Z_]+=.+$ ]] || fail "not a variable: $line"
            [[ $line == LD_PRELOAD=libsocktmo.so ]] || variables+=("$line")
        done < <(xargs -n 1 <<<"${line#Environment=}")
    done < <(grep -v -e '^#' -e '^$' -e '^\[' "$EXAMPLES/systemd/override.conf")
    [[ ${#variables[@]} -ge 4 ]] || fail "only ${#variables[@]} settings"
    accepted "${variables[@]}"
}

@test "systemd drop-in: systemd itself takes it" {
    requires systemd-analyze systemd
    mkdir -p units/demo.service.d
    printf '[Service]\nExecStart=/bin/true\n' >units/demo.service
    cp "$EXAMPLES/systemd/override.conf" units/demo.service.d/socktmo.conf
    bare -- systemd-analyze verify --man=no ./units/demo.service
    case $output in
    *"Failed to initialize manager"* | *"not been booted"*) skip "no systemd manager runs here" ;;
    esac
    [[ $output != *socktmo.conf* ]] || fail "systemd complains of the drop-in"
}

@test "Dockerfile: known instructions, files that exist, settings that are accepted" {
    local word
    local -a variables=()

    while read -r word; do
        [[ $word =~ ^(FROM|COPY|ENV|CMD)$ ]] || fail "unknown instruction: $word"
    done < <(sed -e '/^#/d' -e '/^$/d' -e '/\\$/{:a;N;s/\\\n//;ta}' \
        "$EXAMPLES/docker/Dockerfile" | cut -d ' ' -f 1)
    while read -r word; do
        case $word in
        SOCKTMO_*) variables+=("$word") ;;
        LD_PRELOAD=*)
            grep -q "^COPY libsocktmo.so ${word#*=}\$" "$EXAMPLES/docker/Dockerfile" ||
                fail "the library is preloaded from where it is not put"
            ;;
        esac
    done < <(sed -e 's/^ENV//' -e 's/\\$//' "$EXAMPLES/docker/Dockerfile" | xargs -n 1)
    [[ ${#variables[@]} -ge 4 ]] || fail "only ${#variables[@]} settings"
    accepted "${variables[@]}"
}

@test "cron: the job is run with its limits, and fails when its server hangs" {
    local line schedule user command=

    while read -r line; do
        case $line in
        '#'* | '' | PATH=*) ;;
        SOCKTMO_*=*) accepted "$line" ;;
        *)
            [[ $line =~ ^([0-9]+\ [0-9]+\ [0-9*]+\ [0-9*]+\ [0-9*]+)\ ([a-z]+)\ (.+)$ ]] ||
                fail "not a line of cron.d: $line"
            schedule=${BASH_REMATCH[1]} user=${BASH_REMATCH[2]} command=${BASH_REMATCH[3]}
            ;;
        esac
    done <"$EXAMPLES/cron/backup"
    [[ $schedule == "17 3 * * *" && $user == root ]] || fail "no job"

    # a folder with the commands that the line names: socktmo, and the job itself
    mkdir bin
    ln -s "$TMO_BIN" bin/socktmo
    peer_start silent
    printf '#!/bin/sh\nexec "%s" 127.0.0.1 %s "$@"\n' "$TMO_BUILD/examples/legacy-client" \
        "$PEER_PORT" >bin/backup
    chmod +x bin/backup
    bare "PATH=$PWD/bin:$PATH" "SOCKTMO_LOG=$PWD/log" -- sh -c "${command/--recv 5m/--recv 1s}"
    [[ $status -eq 1 && $output == *"recv: Connection timed out" ]] || fail "the job's end"
    assert_between 950 3000
    assert_records timeout 1
}

# --- the init script ------------------------------------------------------------------------------

# init ACTION: the script with everything of its own in this folder.
init() {
    bare DEFAULTS=/nonexistent "DAEMON=$TMO_BUILD/examples/legacy-server" DAEMON_ARGS=0 \
        "LAUNCHER=$TMO_BIN" "PIDFILE=$PWD/pid" "OUTPUT=$PWD/out" "RECORDS=$PWD/log" \
        -- sh "$EXAMPLES/init/legacy-daemon" "$1"
}

@test "init script: start, status, stop, with the daemon under the shim" {
    local port

    requires start-stop-daemon dpkg
    init start
    [[ $status -eq 0 ]] || fail "start"
    own "$(cat pid)"
    port=$(timeout 5 tail -n +1 -F out 2>/dev/null | sed -n 's/^port //p;/^port /q')
    grep -q libsocktmo "/proc/$(cat pid)/maps" || fail "the daemon is not under the shim"

    init status
    [[ $status -eq 0 ]] || fail "status of a daemon that runs"
    bare -- "$TMO_BUILD/examples/legacy-client" 127.0.0.1 "$port"
    [[ $status -eq 0 && $output == "you said: hello" ]] || fail "the daemon does not serve"

    init stop
    [[ $status -eq 0 && ! -e pid ]] || fail "stop"
    init status
    [[ $status -ne 0 ]] || fail "status of a daemon that was stopped"
    [[ $(record close .dir) == *in* ]] || fail "no record of the connection served"
}

@test "init script: refuses an action that it does not know" {
    init explode
    [[ $status -eq 2 && $output == usage:* ]] || fail "explode"
}

# --- the scripts and the README -------------------------------------------------------------------

@test "the shell scripts are clean" {
    local script

    requires shellcheck
    for script in "$EXAMPLES/demo.sh" "$EXAMPLES/init/legacy-daemon" "$TMO_ROOT/tests/setup.sh"; do
        sh -n "$script"
        shellcheck "$script"
    done
}

@test "README: names every example, and nothing else" {
    local file

    while read -r file; do
        [[ -e $EXAMPLES/$file ]] || fail "$file is named but not there"
    done < <(sed -n 's/^| `\([^`]*\)`.*/\1/p' "$EXAMPLES/README.md")
    while read -r file; do
        grep -qF "\`$file\`" "$EXAMPLES/README.md" || fail "$file is not named"
    done < <(cd "$EXAMPLES" && find . -type f ! -name README.md -printf '%P\n')
}

@test "README: its commands work, on a log with a timeout and a close" {
    local command

    requires jq
    peer_start silent
    under SOCKTMO_RECV=250ms SOCKTMO_LOG="$PWD/log" -- \
        "$TMO_BUILD/examples/legacy-client" 127.0.0.1 "$PEER_PORT"
    assert_records timeout 1
    mkdir bin
    ln -s "$TMO_BIN" bin/socktmo
    while read -r command; do
        bare "PATH=$PWD/bin:$PATH" -- bash -o pipefail -c "$command"
        [[ $status -eq 0 ]] || fail "$command"
        case $command in
        *total_retrans* | *problem* | "socktmo run"*) ;;
        *) [[ -n $output ]] || fail "says nothing: $command" ;;
        esac
    done < <(sed -n '/^```sh/,/^```$/p' "$EXAMPLES/README.md" | grep -v -e '^```' -e '^#' -e '^$')
}
