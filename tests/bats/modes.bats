#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # the helpers read and set what is not seen here
#
# Our limits beside the options that the program sets itself.

load helpers
load steps

setup() {
    tmo_setup
    peer_start silent
}

# each_way OWN SHOWN RECV: a program that sets such an SO_RCVTIMEO before its connect, or after it,
# is shown SHOWN, and its recv ends as RECV has it. Both at once, with one log.
each_way() {
    {
        steps socket:tcp set:rcvtimeo:"$1" connect:"$PEER_PORT" get:rcvtimeo recv
        expect 'socket * -' 'set 0 -' 'connect 0 -' "get $2 - rcvtimeo" "$3"
    } &
    steps connect:"$PEER_PORT" set:rcvtimeo:"$1" get:rcvtimeo recv
    expect 'connect 0 -' 'set 0 -' "get $2 - rcvtimeo" "$3"
    wait $!
}

@test "force: ours holds over a smaller and a larger one, and getsockopt shows it" {
    limits RECV=500ms
    each_way 200 500 'recv -1 ETIMEDOUT @500'
    each_way 5000 500 'recv -1 ETIMEDOUT @500'
    assert_records timeout 4
}

@test "force: without a limit of ours the program's own holds" {
    limits SEND=500ms
    each_way 200 200 'recv -1 EAGAIN @200'
    assert_records timeout 0
}

@test "cap: the smaller of the two; the program's own is its own, and getsockopt shows that" {
    limits RECV=400ms MODE=cap
    each_way 200 200 'recv -1 EAGAIN @200'
    assert_records timeout 0
    each_way 5000 5000 'recv -1 ETIMEDOUT @400'
    assert_records timeout 2
    each_way 0 0 'recv -1 ETIMEDOUT @400'
    assert_records timeout 4
}

@test "fill: ours only where the program has none" {
    limits RECV=400ms MODE=fill
    each_way 200 200 'recv -1 EAGAIN @200'
    each_way 700 700 'recv -1 EAGAIN @700'
    assert_records timeout 0
    each_way 0 0 'recv -1 ETIMEDOUT @400'
    assert_records timeout 2
}

@test "a program's timeout that equals our limit is its own where ours is not in force" {
    limits RECV=400ms MODE=fill
    each_way 400 400 'recv -1 EAGAIN @400'
    assert_records timeout 0
}

@test "save and restore of the option does not make our value the program's own" {
    for mode in cap fill; do
        rm -f log
        limits RECV=400ms MODE=$mode
        steps connect:"$PEER_PORT" get:rcvtimeo set:rcvtimeo:200 recv set:rcvtimeo:0 \
            get:rcvtimeo recv
        expect 'connect 0 -' 'get 0 - rcvtimeo' 'set 0 -' 'recv -1 EAGAIN @200' 'set 0 -' \
            'get 0 - rcvtimeo' 'recv -1 ETIMEDOUT @400'
        assert_records timeout 1
    done
}

@test "the other numbers of the options (66, 67) mean the same" {
    limits RECV=400ms SEND=600ms
    steps connect:"$PEER_PORT" set:rcvtimeo_new:200 set:sndtimeo_new:200 get:rcvtimeo_new \
        get:sndtimeo_new get:rcvtimeo recv
    expect 'connect 0 -' 'set 0 -' 'set 0 -' 'get 400 - rcvtimeo_new' 'get 600 - sndtimeo_new' \
        'get 400 - rcvtimeo' 'recv -1 ETIMEDOUT @400'
    limits RECV=400ms MODE=cap
    steps connect:"$PEER_PORT" set:rcvtimeo_new:5000 get:rcvtimeo_new get:rcvtimeo recv
    expect 'connect 0 -' 'set 0 -' 'get 5000 - rcvtimeo_new' 'get 5000 - rcvtimeo' \
        'recv -1 ETIMEDOUT @400'
}

@test "the modes hold for send as for recv" {
    peer_start noread
    limits SEND=400ms
    steps connect:"$PEER_PORT" set:sndtimeo:200 get:sndtimeo fill send
    expect 'connect 0 -' 'set 0 -' 'get 400 - sndtimeo' 'fill * -' 'send -1 ETIMEDOUT @400'
    limits SEND=400ms MODE=cap
    steps connect:"$PEER_PORT" set:sndtimeo:200 get:sndtimeo fill send set:sndtimeo:5000 send
    expect 'connect 0 -' 'set 0 -' 'get 200 - sndtimeo' 'fill * -' 'send -1 EAGAIN @200' 'set 0 -' \
        'send -1 ETIMEDOUT @400'
    limits SEND=400ms MODE=fill
    steps connect:"$PEER_PORT" set:sndtimeo:600 get:sndtimeo fill send set:sndtimeo:0 send
    expect 'connect 0 -' 'set 0 -' 'get 600 - sndtimeo' 'fill * -' 'send -1 EAGAIN @600' 'set 0 -' \
        'send -1 ETIMEDOUT @400'
    assert_records timeout 3
}

# The kernel bounds a connect by SO_SNDTIMEO, too.
@test "the modes hold for connect" {
    peer_start unreachable
    limits CONNECT=400ms
    steps socket:tcp set:sndtimeo:200 connect:"$PEER_PORT"
    expect 'socket * -' 'set 0 -' 'connect -1 ETIMEDOUT @400'
    limits CONNECT=400ms MODE=cap
    steps socket:tcp set:sndtimeo:200 connect:"$PEER_PORT" get:sndtimeo
    expect 'socket * -' 'set 0 -' 'connect -1 EINPROGRESS @200' 'get 200 - sndtimeo'
    limits CONNECT=400ms MODE=fill
    steps socket:tcp set:sndtimeo:600 connect:"$PEER_PORT" get:sndtimeo
    expect 'socket * -' 'set 0 -' 'connect -1 EINPROGRESS @600' 'get 600 - sndtimeo'
    limits CONNECT=400ms MODE=cap
    steps socket:tcp set:sndtimeo:5000 connect:"$PEER_PORT" get:sndtimeo
    expect 'socket * -' 'set 0 -' 'connect -1 ETIMEDOUT @400' 'get 5000 - sndtimeo'
    assert_records timeout 2
}

@test "the modes hold for accept" {
    limits ACCEPT=400ms
    steps listen set:rcvtimeo:200 get:rcvtimeo accept:1
    expect 'listen 0 -' 'set 0 -' 'get 400 - rcvtimeo' 'accept -1 ETIMEDOUT @400'
    limits ACCEPT=400ms MODE=cap
    steps socket:tcp set:rcvtimeo:200 listen get:rcvtimeo accept:1 set:rcvtimeo:5000 accept:1
    expect 'socket * -' 'set 0 -' 'listen 0 -' 'get 200 - rcvtimeo' 'accept -1 EAGAIN @200' \
        'set 0 -' 'accept -1 ETIMEDOUT @400'
    assert_records timeout 2
}

@test "what the kernel refuses of an option, it refuses" {
    limits RECV=400ms SEND=400ms
    same_as_bare connect:"$PEER_PORT" set:rcvtimeo:-1 get:keepalive set:keepidle:0 \
        set:keepcnt:1000 get:user_timeout get:error close get:rcvtimeo set:rcvtimeo:100
}

# --- other options --------------------------------------------------------------------------------

@test "linger caps a close that waits" {
    peer_start noread
    limits LINGER=1s
    steps connect:"$PEER_PORT" get:linger set:linger:30 get:linger fill close
    expect 'connect 0 -' 'get -1 * linger' 'set 0 -' 'get 1 - linger' 'fill * -' \
        'close 0 - @900-1900'
    limits LINGER=1500ms
    steps connect:"$PEER_PORT" set:linger:30 get:linger set:linger:1 get:linger set:linger:0 \
        get:linger
    expect 'connect 0 -' 'set 0 -' 'get 2 - linger' 'set 0 -' 'get 1 - linger' 'set 0 -' \
        'get 0 - linger'
}

@test "without linger nothing is capped" {
    limits RECV=1s
    steps connect:"$PEER_PORT" set:linger:30 get:linger
    expect 'connect 0 -' 'set 0 -' 'get 30 - linger'
}

@test "keepalive is set as given, on connections made and accepted" {
    limits KEEPALIVE=70s/11s/4
    steps connect:"$PEER_PORT" get:keepalive get:keepidle get:keepintvl get:keepcnt
    expect 'connect 0 -' 'get 1 - keepalive' 'get 70 - keepidle' 'get 11 - keepintvl' \
        'get 4 - keepcnt'
    steps listen on:1 dial:0 on:0 accept:2 on:2 get:keepalive get:keepidle
    expect 'listen 0 -' 'dial 0 -' 'accept * -' 'get 1 - keepalive' 'get 70 - keepidle'
    limits RECV=1s
    steps connect:"$PEER_PORT" get:keepalive
    expect 'connect 0 -' 'get 0 - keepalive'
}

@test "user_timeout is set as given, on connections made and accepted" {
    limits USER_TIMEOUT=7s
    steps connect:"$PEER_PORT" get:user_timeout
    expect 'connect 0 -' 'get 7000 - user_timeout'
    steps listen on:1 dial:0 on:0 accept:2 on:2 get:user_timeout
    expect 'listen 0 -' 'dial 0 -' 'accept * -' 'get 7000 - user_timeout'
}

@test "user_timeout beside the program's own" {
    for row in force:3000:7000 force:9000:7000 cap:3000:3000 cap:9000:7000 fill:3000:3000 \
        fill:9000:9000 fill:0:7000; do
        IFS=: read -r mode own shown <<<"$row"
        limits USER_TIMEOUT=7s MODE="$mode"
        steps socket:tcp set:user_timeout:"$own" connect:"$PEER_PORT" get:user_timeout
        expect 'socket * -' 'set 0 -' 'connect 0 -' "get $shown - user_timeout"
    done
}
