#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # helpers.bash and fds.bash set and read the rest
#
# A connection is recorded once, whatever the road by which it ends, and by the process that used
# it. The program does what it does bare, each time.

load helpers
load fds

setup() {
    tmo_setup
    peer_start mute
    connected "$PEER_PORT"
}

# --- closing --------------------------------------------------------------------------------------

@test "close" {
    alike -- "$FDS" "${connected[@]}" close:a close:a open:/dev/null
    assert_closes close
}

@test "close under its other names" {
    requires python3
    for call in close __close 'syscall(3)'; do
        rm -f log
        logged -- python3 -c '
import ctypes, socket, sys
libc = ctypes.CDLL(None)
fd = socket.create_connection(("127.0.0.1", int(sys.argv[1]))).detach()
r = libc.syscall(3, fd) if sys.argv[2] == "syscall(3)" else getattr(libc, sys.argv[2])(fd)
assert r == 0 and libc.close(fd) == -1' "$PEER_PORT" "$call"
        [[ $status -eq 0 ]] || fail "$call"
        [[ $call != syscall* || $(uname -m) == x86_64 ]] || continue
        assert_closes close
    done
}

@test "dup: only the last of its descriptors counts" {
    alike -- "$FDS" "${connected[@]}" b=dup:a c=dupfd:a:50 close:a say:first close:b close:c rest:30
    assert_closes close
    [[ $(record close .age_ms) -lt 1000 ]]
    alike -- "$FDS" "${connected[@]}" b=dup:a close:a b=dup:b close:99
    assert_closes exit # two of three are still there at the end
}

@test "dup2 and dup3 over the last descriptor" {
    alike -- "$FDS" "${connected[@]}" dup2:0:a close:a
    assert_closes dup
    alike -- "$FDS" "${connected[@]}" dup3:0:a close:a
    assert_closes dup
}

@test "dup2 over one of two, of a bad descriptor, and onto itself ends nothing" {
    alike -- "$FDS" "${connected[@]}" b=dup:a dup2:0:a say:one close:b
    assert_closes close
    alike -- "$FDS" "${connected[@]}" dup2:999:a dup3:999:a dup2:a:a dup3:a:a close:a
    assert_closes close
}

@test "dup2 moves a connection to another number" {
    alike -- "$FDS" "${connected[@]}" dup2:a:60 close:a send:60:7 close:60
    assert_closes close
    [[ $(record close '"\(.fd) \(.tcp.bytes_sent)"') == "60 7" ]] || fail "not of 60 with 7 bytes"
}

@test "close_range and closefrom end all that they cover" {
    connected "$PEER_PORT" b
    alike -- "$FDS" a=socket:tcp "connect:a:4/$PEER_PORT" dup2:a:40 close:a "${connected[@]}" \
        dup2:b:45 close:b close_range:41:50 send:40:1 close_range:60:50 close:45 close:40
    assert_closes close close
    [[ $(record close .fd | paste -sd ' ') == "45 40" ]] || fail "another order"
    alike -- "$FDS" "${connected[@]}" dup2:b:40 close:b dup2:40:45 closefrom:40 close:40 close:45 \
        open:/dev/null
    assert_closes close
    alike -- "$FDS" "${connected[@]}" closefrom:b closefrom:b open:/dev/null
    assert_closes close
    alike -- "$FDS" "${connected[@]}" close_range:b:0x7fffffff close_range:b:0xffffffff
    assert_closes close
}

@test "a program that closes every number there is" {
    alike -- "$FDS" rlimit:nofile:1024 "${connected[@]}" closeall:5 a=socket:tcp \
        "connect:a:4/$PEER_PORT" closeall:3 open:/dev/null
    assert_closes close close
}

@test "fclose: with the bytes of its last flush" {
    alike -- "$FDS" "${connected[@]}" send:a:10 fdopen:a fputs:90 fclose close:a
    assert_closes close
    [[ $(record close .tcp.bytes_sent) -eq 100 ]] || fail "$(record close .tcp.bytes_sent) bytes"
}

@test "fclose of a stream whose peer is gone fails as it does bare" {
    peer_start reset
    alike -- "$FDS" ignore:13 a=socket:tcp "connect:a:4/$PEER_PORT" recv:a:1 fdopen:a fputs:10 \
        fclose close:a
    [[ $output == *"fclose = -1 Broken pipe"* ]] || fail "it does not fail"
    assert_closes close
}

@test "a wait inside stdio ends with an error, and is on record when the stream is closed" {
    logged SOCKTMO_RECV=300ms -- "$FDS" "${connected[@]}" fdopen:a getc fclose
    [[ $output == *"getc = -1 Resource temporarily unavailable"*"fclose = 0"* ]] || fail "getc"
    [[ $(record timeout '[.limit, .call, .limit_ms, .timeouts] | join(" ")') == "recv stdio 300 1" ]] ||
        fail "the timeout"
    assert_between 300 780 "$(record timeout .waited_ms)" waited_ms
    assert_closes close
    [[ $(record close .timeouts) -eq 1 ]] || fail "timeouts"

    rm log
    peer_start close
    logged SOCKTMO_RECV=300ms -- "$FDS" a=socket:tcp "connect:a:4/$PEER_PORT" fdopen:a getc fclose
    [[ $output == *"getc = -2"* ]] || fail "the end of the stream"
    assert_records timeout 0
}

@test "freopen over a connection, which we cannot see, is recorded as unseen" {
    alike -- "$FDS" "${connected[@]}" fdopen:a freopen:/dev/null b=socket:tcp close:b fclose
    assert_records close 1
    [[ $(closes) == unseen ]] || fail "reason: $(closes)"
    [[ $(record close 'has("tcp")') == false ]] || fail "somebody else's tcp is in it"
    [[ $(record close .peer) == "127.0.0.1:$PEER_PORT" ]] || fail "its peer is not in it"
}

@test "a socket that was never connected leaves no record" {
    alike -- "$FDS" a=socket:tcp close:a b=socket:tcp
    assert_records close 0
}

@test "a number that is used again is a connection of its own" {
    alike -- "$FDS" "${connected[@]}" send:a:1 close:a a=socket:tcp "connect:a:4/$PEER_PORT" \
        send:a:2 close:a a=open:/dev/null close:a
    assert_closes close close
    [[ $(record close .tcp.bytes_sent | paste -sd ' ') == "1 2" ]]
}

# --- the end of the program -----------------------------------------------------------------------

@test "every way to exit records what is still open" {
    for way in exit _exit _Exit quick_exit; do
        alike -- "$FDS" "${connected[@]}" send:a:3 "$way:5"
        [[ $status -eq 5 ]] || fail "$way"
        assert_closes exit
        [[ $(record close .tcp.bytes_sent) -eq 3 ]] || fail "$way: no tcp"
    done
    alike -- "$FDS" "${connected[@]}" # from main
    assert_closes exit
}

@test "what atexit functions still send is in the record" {
    alike -- "$FDS" "${connected[@]}" atexit send:a:6 end exit:0
    assert_closes exit
    [[ $(record close .tcp.bytes_sent) -eq 6 ]] || fail "$(record close .tcp.bytes_sent) bytes"
    alike -- "$FDS" "${connected[@]}" atexit close:a end
    assert_closes close
}

@test "_exit by syscall(2)" {
    requires python3
    logged -- python3 -c '
import ctypes, os, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
ctypes.CDLL(None).syscall({"x86_64": 231}.get(os.uname().machine, 94), 7)' "$PEER_PORT"
    [[ $status -eq 7 ]] || fail "status"
    assert_closes exit
}

# --- exec -----------------------------------------------------------------------------------------

@test "exec: what it closes is recorded, if the program can be executed" {
    for way in execve execv execvp execvpe fexecve execl execlp execle execveat execveat_fd syscall \
        syscall_at; do
        alike -- "$FDS" "${connected[@]}" cloexec:a send:a:4 "exec:$way:$TRUE"
        [[ $status -eq 0 ]] || fail "$way"
        assert_closes exec
        [[ $(record close .tcp.bytes_sent) -eq 4 ]] || fail "$way: no tcp"
    done
}

@test "exec that fails ends nothing" {
    touch plain
    for way in execve execv execvp execvpe execl execlp execle execveat syscall syscall_at; do
        for program in /nonexistent ./plain .; do
            alike -- "$FDS" "${connected[@]}" cloexec:a "exec:$way:$program" send:a:4 close:a
            assert_closes close
        done
    done
}

@test "exec of a file that may be executed but is no program ends nothing" {
    echo "no program" >text
    printf '#!/nonexistent/interpreter\n' >orphan
    chmod +x text orphan
    for program in ./text ./orphan; do
        alike -- "$FDS" "${connected[@]}" cloexec:a "exec:execve:$program" send:a:4 close:a
        [[ $output == *"send:a:4 = 4"* ]] || fail "$program was executed"
        assert_closes close
    done
}

@test "exec of what is found in PATH" {
    mkdir bin
    cp "$TRUE" bin/my-true
    alike "PATH=/nonexistent:$PWD/bin" -- "$FDS" "${connected[@]}" cloexec:a exec:execvp:my-true
    [[ $status -eq 0 ]] || fail "status"
    assert_closes exec
    alike "PATH=/nonexistent" -- "$FDS" "${connected[@]}" cloexec:a exec:execvp:my-true close:a
    assert_closes close
}

@test "exec hands on what is not close-on-exec, and the next program records its end" {
    requires python3
    not_on musl "python3 is not linked with it"
    cat >next <<'NEXT'
#!/usr/bin/python3
import os
os.write(60, b"xy")
NEXT
    chmod +x next
    logged -- "$FDS" "${connected[@]}" dup2:a:60 close:a send:60:3 exec:execv:./next
    [[ $status -eq 0 ]] || fail "status"
    assert_closes exit
    [[ $(record close '"\(.program) \(.fd) \(.tcp.bytes_sent)"') == "next 60 5" ]] ||
        fail "$(record close)"
}

# --- children -------------------------------------------------------------------------------------

@test "a child that does not use a connection leaves none of it" {
    for kind in child Fork vchild; do
        alike -- "$FDS" "${connected[@]}" "$kind" say:hello end send:a:2 close:a
        assert_closes close
        [[ $(record close .tcp.bytes_sent) -eq 2 ]] || fail "$kind: it is the child's"
        alike -- "$FDS" "${connected[@]}" "$kind" close:a end send:a:2 close:a
        assert_closes close
        [[ $(record close .tcp.bytes_sent) -eq 2 ]] || fail "$kind: it is the child's"
    done
}

@test "a child that uses it records it as well; both know that they share it" {
    for kind in child Fork; do
        alike -- "$FDS" "${connected[@]}" "$kind" send:a:1 close:a end send:a:2 close:a
        assert_closes close close
        [[ $(record close '"\(.shared) \(.tcp.bytes_sent)"' | paste -sd ' ') == \
            "true 1 true 3" ]] || fail "$kind: $(record close '"\(.shared) \(.tcp.bytes_sent)"')"
        [[ $(record close .pid | sort -u | wc -l) -eq 2 ]] || fail "$kind: the same pid twice"
    done
}

@test "a child's own connection is recorded by the child" {
    alike -- "$FDS" child "${connected[@]}" send:a:1 end
    assert_closes exit
    [[ $(record close .shared) == false ]] || fail "it is shared with nobody"
}

@test "a server that forks for each connection: one record each, by the child that serves it" {
    alike -- "$FDS" l=socket:tcp bind:l:4/0 listen:l:5 c=socket:tcp connect:c:=l s=accept:l \
        child close:l close:c send:s:5 close:s end close:s recv:c:5 close:c close:l
    # by the child; then by the parent, of its own client and of the listener, not of what it only
    # accepted... which it did open, so that is told, too
    [[ $(record close 'select(.dir == "in") | .tcp.bytes_sent' | head -n 1) -eq 5 ]] ||
        fail "not by the child: $(record close)"
    [[ $(record close 'select(.dir == "out")' | wc -l) -eq 1 ]] || fail "the client's"
    [[ $(record close 'select(.dir == "listen")' | wc -l) -eq 1 ]] || fail "the listener's"
    [[ $(record close 'select(.dir == "in")' | wc -l) -eq 2 ]] || fail "the accepted one's"
}

@test "a vfork child changes nothing of its parent's" {
    alike -- "$FDS" "${connected[@]}" vchild dup2:0:a close:a closefrom:3 end send:a:2 close:a
    assert_closes close
    [[ $(record close .tcp.bytes_sent) -eq 2 ]]
    alike -- "$FDS" "${connected[@]}" vchild b=socket:tcp "connect:b:4/$PEER_PORT" close:b end \
        send:a:3 close:a
    [[ $(record close 'select(.tcp.bytes_sent == 3) | .reason') == close ]] || fail "$(record close)"
    [[ $(record close '.pid' | sort -u | wc -l) -eq 1 ]] || fail "by the child"
}

@test "two threads" {
    alike -- "$FDS" thread "${connected[@]}" send:a:1 end thread send:a:1 close:a end
    assert_closes close
    [[ $(record close '.tid != .pid') == true ]] || fail "the tid is not the thread's"
}

@test "many threads that connect and close while one forks: each connection once" {
    peer_start echo
    TMO_CUT=30 logged -- "$TMO_BUILD/tests/racers" "$PEER_PORT" 8 50
    [[ $status -eq 0 && $output == 400 ]] || fail "bare calls went wrong"
    assert_records close 400
    [[ $(record close '"\(.reason) \(.peer) \(.tcp.bytes_sent) \(.tcp.bytes_received)"' |
        sort -u) == "close 127.0.0.1:$PEER_PORT 1 1" ]] || fail "$(closes | head -c 300)"
    [[ $(record close .local | sort -u | wc -l) -eq 400 ]] || fail "a connection twice"
    every_line_is_json log
}

# --- what is open at the start --------------------------------------------------------------------

@test "a connection that is there at the start is recorded if it is used" {
    exec 5<>"/dev/tcp/127.0.0.1/$PEER_PORT"
    logged -- "$FDS" send:5:3
    assert_closes exit
    [[ $(record close '"\(.fd) \(.shared) \(.peer)"') == "5 true 127.0.0.1:$PEER_PORT" ]] ||
        fail "$(record close)"
    rm log
    logged -- "$FDS" say:nothing
    assert_records close 0
    exec 5>&-
}
