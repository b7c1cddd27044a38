#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154 # helpers.bash sets status, output and elapsed_ms
#
# Libraries that a program opens with RTLD_DEEPBIND: bound past what is preloaded, unless the flag is
# cleared (SOCKTMO_DEEPBIND). The program below has it done by a library whose RUNPATH alone leads to
# the one that is opened, so the loader must see that library as its caller.

load helpers

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    mkdir near far
    cat >plug.c <<'END'
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
/* The program has one of that name, too. */
const char *who(void)
{
    return "plug-in";
}
void plug_tell(void)
{
    puts(who());
}
void plug_wait(const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    char byte;
    int fd = socket(AF_INET, SOCK_STREAM, 0), r;
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    r = connect(fd, (struct sockaddr *)&to, sizeof to);
    printf("connect %d\n", r);
    r = recv(fd, &byte, 1, 0);
    printf("recv %d %s\n", r, strerror(errno));
}
END
    cat >opener.c <<'END'
#include <dlfcn.h>
void *open_plug(int mode)
{
    return dlopen("libplug.so", mode);
}
END
    cat >program.c <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
void *open_plug(int mode);
const char *who(void)
{
    return "program";
}
#ifdef EARLY
static void __attribute__((constructor)) before(void)
#else
static void before(void)
#endif
{
    static void *plug;
    plug = plug != NULL ? plug : open_plug(RTLD_NOW | RTLD_DEEPBIND);
    if (plug == NULL)
        puts(dlerror());
}
int main(int argc, char **argv)
{
    void (*tell)(void), (*wait)(const char *);
    void *plug;
    setvbuf(stdout, NULL, _IOLBF, 0);
    before();
    if (argc > 2) { /* past any wrapper of ours, a name that is not there */
        puts(dlopen("libnosuch.so", RTLD_LAZY | RTLD_DEEPBIND) == NULL ? dlerror() : "?");
        puts(dlopen(NULL, RTLD_LAZY) != NULL ? "itself" : dlerror());
    }
    plug = open_plug(RTLD_NOW | RTLD_NOLOAD);
    if (plug == NULL)
        return 99;
    *(void **)&tell = dlsym(plug, "plug_tell");
    *(void **)&wait = dlsym(plug, "plug_wait");
    tell();
    if (argc > 1)
        wait(argv[1]);
    return 0;
}
END
    "${TMO_CC[@]}" -D_GNU_SOURCE -fPIC -shared -o far/libplug.so plug.c
    # shellcheck disable=SC2016 # the loader's
    "${TMO_CC[@]}" -D_GNU_SOURCE -fPIC -shared -o near/libopener.so opener.c -ldl \
        -Wl,--enable-new-dtags,-rpath,'$ORIGIN/../far'
    # shellcheck disable=SC2016
    for way in '' -DEARLY; do
        "${TMO_CC[@]}" -D_GNU_SOURCE -rdynamic $way -o "program${way#-D}" program.c -Lnear -lopener \
            -ldl -Wl,--enable-new-dtags,-rpath,'$ORIGIN/near'
    done
}

setup() {
    tmo_setup
    [[ -z $TMO_PRELOAD ]] || skip "sanitizers refuse RTLD_DEEPBIND"
    # musl has no such flag, and other machines no such wrapper
    nm -D "$TMO_LIB" | grep -qw dlopen || skip "dlopen is not wrapped here"
    PROGRAM=$BATS_FILE_TMPDIR/program
}

@test "bare, and with the setting off, a wait in a library opened with RTLD_DEEPBIND hangs" {
    peer_start silent
    TMO_CUT=2 bare SOCKTMO_RECV=300ms -- "$PROGRAM" "$PEER_PORT"
    [[ $status -eq 124 && $output == $'plug-in\nconnect 0' ]] || fail "it does not hang bare"
    TMO_CUT=2 under SOCKTMO_RECV=300ms SOCKTMO_DEEPBIND=off -- "$PROGRAM" "$PEER_PORT"
    [[ $status -eq 124 && $output == $'plug-in\nconnect 0' ]] || fail "it does not hang when off"
}

@test "it is bounded" {
    peer_start silent
    under SOCKTMO_RECV=300ms SOCKTMO_LOG="$PWD/log" -- "$PROGRAM" "$PEER_PORT"
    [[ $status -eq 0 && $output == *$'\nconnect 0\nrecv -1 Connection timed out' ]] ||
        fail "it is not"
    assert_between 300 3000
    assert_records timeout 1
    assert_records close 1
}

@test "what changes for the program: its own names win over the library's" {
    bare -- "$PROGRAM"
    [[ $output == plug-in ]] || fail "the flag is good for nothing here"
    under SOCKTMO_RECV=60s -- "$PROGRAM"
    [[ $output == program ]] || fail "the flag was not cleared"
    under SOCKTMO_RECV=60s SOCKTMO_DEEPBIND=off -- "$PROGRAM"
    [[ $output == plug-in ]] || fail "the flag was cleared though off"
}

@test "it may be switched off in the file, and not in a rule" {
    printf 'recv = 60s\ndeepbind = off\n' >conf
    under SOCKTMO_CONFIG="$PWD/conf" -- "$PROGRAM"
    [[ $output == plug-in ]] || fail "the file's setting does not count"
    printf 'recv = 60s\n[a]\nmatch = to any\ndeepbind = off\n' >conf
    under SOCKTMO_CONFIG="$PWD/conf" -- "$PROGRAM"
    [[ $output == *conf:4:* && $output == *program ]] || fail "a rule can have it"
}

@test "without any setting, or where the library does not act, the flag stays" {
    local setting

    for setting in A=1 SOCKTMO_DISABLE=on SOCKTMO_SKIP='prog*' SOCKTMO_DEEPBIND=on; do
        under SOCKTMO_CONFIG= "$setting" -- "$PROGRAM"
        [[ $output == plug-in ]] || fail "the flag was cleared under $setting"
    done
    printf 'recv = 60s\ndisable = on\n' >conf
    under SOCKTMO_CONFIG="$PWD/conf" -- "$PROGRAM"
    [[ $output == plug-in ]] || fail "the flag was cleared under 'disable' of the file"
}

@test "other calls of dlopen, and what dlerror says, are as bare" {
    local without

    peer_start close
    bare -- "$PROGRAM" "$PEER_PORT" more
    without=$output
    [[ $output == *libnosuch.so:*$'\nitself\n'* ]] || fail "the bare program says otherwise"
    under SOCKTMO_RECV=60s -- "$PROGRAM" "$PEER_PORT" more
    [[ $output == "${without/plug-in/program}" ]] || fail "not as bare: $without"
}

@test "opened by a constructor" {
    under SOCKTMO_RECV=60s -- "${PROGRAM}EARLY"
    [[ $status -eq 0 && $output == program ]] || fail "the flag was not cleared"
}

@test "php's curl, which is opened in that way" {
    requires php php-cli
    php -m | grep -qx curl || skip "php's curl is not installed (Debian package php-curl)"
    peer_start silent
    under SOCKTMO_RECV=500ms SOCKTMO_LOG="$PWD/log" -- \
        php "$TMO_ROOT/tests/clients/programs/client.php" curl "$PEER_PORT"
    [[ $status -eq 1 ]] || fail "php does not say so"
    assert_between 500 6000
    assert_records timeout 1
}
