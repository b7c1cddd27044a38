# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the peers of the matrix say in each protocol. A peer is a mode of tests/programs/peer.c with
# a text that the client takes for the beginning of an answer:
#
#     half   as much of an answer as shows that more is to come
#     head   what stands before an answer that never ends; then `drip`, a byte a second
#     ask    yes where the client speaks first; else the peer greets
#
# Each protocol is a line of this table, with columns set apart by blanks; texts are written with
# the escapes of peer.c, \x20 for a blank.

hundred=$(printf '0123456789%.0s' 1 2 3 4 5 6 7 8 9 10)
http='HTTP/1.1\x20200\x20OK\r\nContent-Type:\x20text/plain\r\n'

# name ask half head drip
protocols="
line    no   half\x20of\x20a\x20line                      -                                 x
http    yes  ${http}Content-Length:\x20100000\r\n\r\n$hundred  ${http}Connection:\x20close\r\n\r\n  x
ftp     no   220-half                                     -                                 220-hello\r\n
smtp    no   220-half                                     -                                 220-hello\r\n
imap    no   *\x20OK\x20half                              *\x20OK\x20ready\r\n              *\x20OK\x20x\r\n
pop3    no   +OK\x20half                                  -                                 x
ssh     no   SSH-2.0-half                                 -                                 hello\r\n
tls     yes  \x16\x03\x03\x00\x7a\x02\x00                 \x16\x03\x03\x3f\xff\x02\x00\x3f\xf0  x
pgsql   yes  R\x00\x00\x00                                R\x00\x00\x00\x08\x00\x00\x00\x00S\x00\x00\x75\x30  x
mysql   no   \x4a\x00\x00\x00\x0a5.5                      \xff\xff\x0f\x00\x0a              x
redis   yes  \$100000\r\n$hundred                         \$100000\r\n                      x
mqtt    yes  \x20                                         \x20\x02\x00\x00\x30\xff\xff\x3f\x00\x01t  x
ldap    yes  \x30\x84\x00\x00                             \x30\x84\x00\x01\x00\x00          x
dns     yes  \x10\x00\xab                                 \x10\x00                          x
rsync   no   @RSYN                                        @RSYNCD:\x2031.0\x20md5\x20md4\n  hello\n
git     yes  00ff1234                                     fff0                              x
svn     no   (\x20success\x20(\x202\x202                  (\x20success\x20(\x202\x202\x20(  \x20x
smb     yes  \x00\x00\x10\x00\xfeSMB                      \x00\x01\x00\x00\xfeSMB           x
memcache yes VERSI                                        VERSION\x20                       1
"

# The peers in the order of the matrix' columns.
# shellcheck disable=SC2034 # for those who load this
PEERS=(unreachable silent half drip noread tls)

# peer_key PEER PROTOCOL: one peer serves all clients that it means the same to.
peer_key() {
    case $1 in
    half | drip | cut) echo "$1-$2" ;;
    tls) echo silent ;; # to a client that speaks TLS, silence is silence in the handshake
    *) echo "$1" ;;
    esac
}

# peer_arguments PEER PROTOCOL: the peer's command line, one word a line.
peer_arguments() {
    local name ask half head drip found=

    case $1 in
    half | drip | cut) ;;
    *)
        peer_key "$1" "$2"
        return
        ;;
    esac
    while read -r name ask half head drip; do
        [[ $name != "$2" ]] || { found=1 && break; }
    done <<<"$protocols"
    [[ -n $found ]] || { echo "peers.bash: no protocol '$2'" >&2 && return 1; }
    [[ $head != - ]] || head=
    case $1 in
    half) printf '%s\n' greet --text "$half" ;;
    # time enough for the client to read what came before the RST
    cut) printf '%s\n' cut --text "$half" --after 300 ;;
    drip) printf '%s\n' drip --head "$head" --text "$drip" --every 1000 ;;
    esac
    [[ $ask != yes ]] || echo --ask
}
