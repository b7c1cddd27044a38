#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # helpers.bash reads and sets what is not seen here
#
# Servers under limits: who connects and is silent is ended, and the record says why; who asks is
# answered all the while.

load helpers

LIMITS=(SOCKTMO_RECV=2s SOCKTMO_SEND=2s SOCKTMO_STRICT=on)

# serve CMD…: in the background under the limits, until the test ends. Its output is in ./said.
serve() {
    env "LD_PRELOAD=$TMO_LD_PRELOAD" "${LIMITS[@]}" SOCKTMO_LOG="$PWD/log" "$@" \
        >said 2>&1 </dev/null 3>&- 8>&- &
    own $!
}

# free_port: one that nobody has right now.
free_port() {
    /usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# until CMD…: tried ten times a second, for 15 s at most.
until_ok() {
    local tries=150

    until "$@" >/dev/null 2>&1; do
        ((tries-- > 0)) || fail "'$*' did not come true within 15 s"
        read -r -t 0.1 -u 8 || true
    done
}

port_said() {
    PORT=$(sed -n 's/^port //p' said)
    [[ -n $PORT ]]
}

is_recorded() {
    [[ $(records timeout) -ge $1 ]]
}

# silent_ones HEALTHY…: three clients that connect and are silent, while HEALTHY goes on asking.
# Each of the three sees its end between 2 and 4 s after it connected; a timeout is on record for
# each, by the limit recv and from their side.
silent_ones() {
    local before after
    "$@" >/dev/null || fail "the healthy client is not answered at first"
    before=${EPOCHREALTIME/./}
    # read comes back at an end of file as at a reset
    bounded /usr/bin/python3 -c '
import socket, sys
ones = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(3)]
for one in ones:
    try:
        one.recv(99)
    except ConnectionResetError:
        pass' "$PORT" &
    while kill -0 $! 2>/dev/null; do
        "$@" >/dev/null || fail "the healthy client is not answered"
        read -r -t 0.1 -u 8 || true
    done
    wait $! || fail "a silent client was not ended"
    after=${EPOCHREALTIME/./}
    assert_between 1900 4000 $(((after - before) / 1000)) "the silent ones lasted"
    until_ok is_recorded 3
    [[ $(record timeout '[.limit, .dir] | join(" ")' | sort | uniq -c | xargs) == "3 recv in" ]] ||
        fail "the records"
    "$@" >/dev/null || fail "the healthy client is not answered in the end"
}

@test "redis-server" {
    requires redis-server
    PORT=$(free_port)
    serve redis-server --port "$PORT" --save '' --bind 127.0.0.1
    until_ok redis-cli -p "$PORT" ping
    silent_ones redis-cli -p "$PORT" ping
}

@test "nginx: a master and its worker" {
    requires nginx
    requires curl
    PORT=$(free_port)
    mkdir -p www
    echo hello >www/index.html
    cat >nginx.conf <<END
daemon off;
worker_processes 1;
user root;
pid nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path tmp1; proxy_temp_path tmp2; fastcgi_temp_path tmp3;
    uwsgi_temp_path tmp4; scgi_temp_path tmp5;
    server { listen 127.0.0.1:$PORT; root www; }
}
END
    serve nginx -p "$PWD/" -c nginx.conf
    until_ok curl -sSf "http://127.0.0.1:$PORT/"
    silent_ones curl -sSf "http://127.0.0.1:$PORT/"
}

@test "a python asyncio server" {
    requires curl
    serve /usr/bin/python3 -u -c '
import asyncio
async def answer(reader, writer):
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
        await writer.drain()
    except OSError as error:
        print("ended:", error)
    writer.close()
async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1])
    await server.serve_forever()
asyncio.run(main())'
    until_ok port_said
    silent_ones curl -sSf "http://127.0.0.1:$PORT/"
    [[ $(grep -c "ended: \[Errno 110\] Connection timed out" said) -eq 3 ]] || fail "what it was told"
}

@test "java's HttpServer" {
    requires java default-jdk-headless
    requires curl
    TMO_CUT=30
    serve java -XX:TieredStopAtLevel=1 "$TMO_ROOT/tests/programs/Serve.java"
    until_ok port_said
    silent_ones curl -sSf "http://127.0.0.1:$PORT/"
}
