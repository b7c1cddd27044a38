# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034 # who loads this reads the tables; inner shells have a $ of their own
#
# The clients of the matrix: the rows, and what is run in each cell.
#
#     client NAME PROTOCOL [KEY=VALUE…] -- CMD…   a row: CMD meets unreachable, silent, half, drip
#     also PEER [KEY=VALUE…] -- CMD…              what the same client does with noread or tls
#
# {port} in CMD is the peer's port, {big} a file of 64 MiB, {programs} the folder of that name
# here, {build} the folder of what was compiled. PROTOCOL is one of peers.bash; a client of `tls`
# meets `tls` in place of `silent`. Whether a row runs under the preload or under the guard is not
# written here: `socktmo doctor` is asked.
#
#     waits=N         how many limits in a row it may take, for its own second attempts
#     stdin=hold      standard input stays open and says nothing; zeros: it never ends. Else empty
#     load=yes        it downloads: half an answer must never pass for the whole
#     start=MS        how long a start may take on a busy machine

START_MS=3000
ROWS=()
declare -A PROTOCOL COMMAND WAITS STDIN LOAD START

# row_set KEY CELLS… -- : nothing here but the two words of the table below
cell_set() {
    local cell=$1 word
    shift

    WAITS[$cell]=1 STDIN[$cell]=null START[$cell]=$START_MS
    while [[ $1 != -- ]]; do
        word=$1
        case $word in
        waits=*) WAITS[$cell]=${word#*=} ;;
        stdin=*) STDIN[$cell]=${word#*=} ;;
        load=yes) LOAD[${cell%/*}]=yes ;;
        start=*) START[$cell]=${word#*=} ;;
        *) echo "table.bash: '$word'?" >&2 && exit 2 ;;
        esac
        shift
    done
    shift
    printf -v "COMMAND[$cell]" '%q ' "$@"
}

client() {
    local name=$1 peer
    local -a peers=(unreachable silent half drip)

    PROTOCOL[$name]=$2
    ROWS+=("$name")
    shift 2
    [[ ${PROTOCOL[$name]} != tls ]] || peers[1]=tls
    for peer in "${peers[@]}"; do
        cell_set "$name/$peer" "$@"
    done
}

also() {
    local peer=$1
    shift
    cell_set "${ROWS[-1]}/$peer" "$@"
}

python=(python3 '{programs}/client.py')
perl=(perl '{programs}/client.pl')
java=(java -cp '{build}/classes' -XX:TieredStopAtLevel=1 -Xshare:auto Client)
monitor=/usr/lib/nagios/plugins
url='http://127.0.0.1:{port}/x'
urls='https://127.0.0.1:{port}/x'
local_ssh=(-F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no)

# --- shells, and languages with sockets of their own ----------------------------------------------

# shellcheck disable=SC2016 # the inner bash's own $
client bash line -- bash -c 'exec 3<>/dev/tcp/127.0.0.1/$1 && read -r line <&3' bash '{port}'
# gawk tries more than once to connect unless told
client gawk line -- env GAWK_SOCK_RETRIES=1 gawk -v 'port={port}' 'BEGIN {
    service = "/inet/tcp/0/127.0.0.1/" port
    if ((service |& getline) < 0) { print "gawk: " ERRNO; exit 1 } }'
client tcl line -- tclsh '{programs}/client.tcl' '{port}'
client lua-socket line -- lua5.4 '{programs}/client.lua' socket '{port}'
client lua-http http load=yes -- lua5.4 '{programs}/client.lua' http '{port}'
client legacy-client line -- '{build}/../examples/legacy-client' 127.0.0.1 '{port}'

# --- python ---------------------------------------------------------------------------------------

client python-socket line -- "${python[@]}" socket '{port}'
also noread -- "${python[@]}" socket-put '{port}'
client python-urllib http load=yes -- "${python[@]}" urllib '{port}'
also tls -- "${python[@]}" urllib-tls '{port}'
client python-http.client http load=yes -- "${python[@]}" http-client '{port}'
also noread -- "${python[@]}" http-client-put '{port}'
client python-ftplib ftp -- "${python[@]}" ftplib '{port}'
client python-smtplib smtp -- "${python[@]}" smtplib '{port}'
client python-imaplib imap -- "${python[@]}" imaplib '{port}'
client python-poplib pop3 -- "${python[@]}" poplib '{port}'
client python-asyncio http load=yes -- "${python[@]}" asyncio '{port}'
also noread -- "${python[@]}" asyncio-put '{port}'
also tls -- "${python[@]}" asyncio-tls '{port}'
client python-aiohttp http load=yes -- "${python[@]}" aiohttp '{port}'
also noread -- "${python[@]}" aiohttp-put '{port}'
also tls -- "${python[@]}" aiohttp-tls '{port}'
client python-requests http load=yes -- "${python[@]}" requests '{port}'
also noread -- "${python[@]}" requests-put '{port}'
also tls -- "${python[@]}" requests-tls '{port}'
client python-httpx http load=yes -- "${python[@]}" httpx '{port}'
also tls -- "${python[@]}" httpx-tls '{port}'
client python-twisted line -- "${python[@]}" twisted '{port}'
client python-gevent line -- "${python[@]}" gevent '{port}'
client python-psycopg2 pgsql -- "${python[@]}" psycopg2 '{port}'
client python-pymysql mysql -- "${python[@]}" pymysql '{port}'
client python-redis redis -- "${python[@]}" redis '{port}'
client python-paho mqtt -- "${python[@]}" paho '{port}'
client python-ldap3 ldap -- "${python[@]}" ldap3 '{port}'

# --- perl, ruby, php, node, java ------------------------------------------------------------------

client perl-socket line -- "${perl[@]}" socket '{port}'
client perl-lwp http load=yes -- "${perl[@]}" lwp '{port}'
also tls -- "${perl[@]}" lwp-tls '{port}'
client perl-http-tiny http load=yes -- "${perl[@]}" tiny '{port}'
client perl-net-smtp smtp -- "${perl[@]}" smtp '{port}'
client perl-net-ftp ftp -- "${perl[@]}" ftp '{port}'
client ruby-socket line -- ruby '{programs}/client.rb' socket '{port}'
client ruby-net-http http load=yes -- ruby '{programs}/client.rb' http '{port}'
also noread -- ruby '{programs}/client.rb' http-put '{port}'
also tls -- ruby '{programs}/client.rb' http-tls '{port}'
client php-fsockopen http -- php '{programs}/client.php' fsockopen '{port}'
client php-file http load=yes -- php '{programs}/client.php' file '{port}'
also tls -- php '{programs}/client.php' file-tls '{port}'
# PHP loads its extensions with RTLD_DEEPBIND
client php-curl http load=yes -- php '{programs}/client.php' curl '{port}'
# libcurl first waits a second for an answer to its Expect
also noread waits=2 -- php '{programs}/client.php' curl-put '{port}' '{big}'
also tls -- php '{programs}/client.php' curl-tls '{port}'
client node-http http load=yes -- node '{programs}/client.js' http '{port}'
also noread -- node '{programs}/client.js' http-put '{port}'
also tls -- node '{programs}/client.js' http-tls '{port}'
client node-net line -- node '{programs}/client.js' net '{port}'
client node-fetch http load=yes -- node '{programs}/client.js' fetch '{port}'
client java-socket line start=6000 -- "${java[@]}" socket '{port}'
client java-channel line start=6000 -- "${java[@]}" channel '{port}'
# HttpURLConnection asks once more on a new connection
client java-url http load=yes waits=2 start=6000 -- "${java[@]}" url '{port}'
also noread start=6000 -- "${java[@]}" url-put '{port}'
also tls start=6000 -- "${java[@]}" url-tls '{port}'
# HttpClient, too
client java-client http load=yes waits=2 start=6000 -- "${java[@]}" client '{port}'
also tls start=6000 -- "${java[@]}" client-tls '{port}'

# --- http and its kin -----------------------------------------------------------------------------

client curl http load=yes -- curl -sS -o out "$url"
also noread waits=2 -- curl -sS -T '{big}' "$url"
also tls -- curl -sSk "$urls"
client curl-ftp ftp load=yes -- curl -sS -o out 'ftp://127.0.0.1:{port}/x'
client curl-imap imap -- curl -sS 'imap://127.0.0.1:{port}/INBOX'
client wget http load=yes -- wget -nv --tries=1 -O out "$url"
also noread -- wget -nv --tries=1 -O out '--post-file={big}' "$url"
also tls -- wget -nv --tries=1 --no-check-certificate -O out "$urls"
client wget-ftp ftp load=yes -- wget -nv --tries=1 -O out 'ftp://127.0.0.1:{port}/x'
client busybox-wget http load=yes -- busybox wget -q -T 3600 -O out "$url"
client aria2c http load=yes -- aria2c --max-tries=1 --timeout=600 --connect-timeout=600 -q --console-log-level=warn -o out "$url"
also tls -- aria2c --max-tries=1 --timeout=600 --check-certificate=false -q -o out "$urls"
client axel http load=yes -- axel -q -n 1 -T 3600 -o out "$url"
client lftp-http http load=yes -- lftp -c "set net:timeout 1h; set net:max-retries 1; get $url -o out"
client lftp-ftp ftp load=yes -- lftp -c 'set net:timeout 1h; set net:max-retries 1; set cmd:default-protocol ftp; get ftp://127.0.0.1:{port}/x -o out'
client lynx http load=yes -- lynx -dump "$url"
client w3m http load=yes -- w3m -dump "$url"
# once; three times is what it does unless told
client elinks http load=yes -- elinks -eval 'set connection.retries = 1' -dump "$url"
client ab http -- ab -n 1 -s 3600 "$url"
client git-http http load=yes -- git clone -q "$url" clone
also tls -- git -c http.sslVerify=false clone -q "$urls" clone
client svn-http http load=yes -- svn ls --non-interactive "$url"
# a second connection for what the first did not give
client apt-get http load=yes waits=2 -- sh '{programs}/apt-update.sh' '{port}'

# --- what no preload reaches ----------------------------------------------------------------------

# compiled by build.sh where that can be
BUILT=(go-client go-client-static static-client uring)

client go http load=yes -- '{build}/built/go-client' get "$url"
also noread -- '{build}/built/go-client' put "$url" 67108864
also tls -- '{build}/built/go-client' get "$urls"
client go-static http load=yes -- '{build}/built/go-client-static' get "$url"
also noread -- '{build}/built/go-client-static' put "$url" 67108864
also tls -- '{build}/built/go-client-static' get "$urls"
client hey http -- hey -n 1 -c 1 -t 0 "$url"
also noread start=6000 -- hey -n 1 -c 1 -t 0 -m PUT -D '{big}' "$url"
also tls -- hey -n 1 -c 1 -t 0 "$urls"
client static-recv http -- '{build}/built/static-client' 'connect:{port}' get:/x all
also noread -- '{build}/built/static-client' 'connect:{port}' fill
client static-poll http -- '{build}/built/static-client' 'connect:{port}' get:/x polled
client io_uring http -- '{build}/built/uring' 'connect:{port}' get:/x all
also noread -- '{build}/built/uring' 'connect:{port}' fill

# --- files, mail, databases, directories ----------------------------------------------------------

client tnftp ftp -- tnftp -n -v 127.0.0.1 '{port}'
client inetutils-ftp ftp -- inetutils-ftp -n -v 127.0.0.1 '{port}'
client git git load=yes -- git clone -q 'git://127.0.0.1:{port}/x' clone
client svn svn -- svn ls --non-interactive 'svn://127.0.0.1:{port}/x'
client rsync rsync load=yes -- rsync 'rsync://127.0.0.1:{port}/x/y' .
client ssh ssh -- ssh "${local_ssh[@]}" -p '{port}' 127.0.0.1 true
client sftp ssh -- sftp "${local_ssh[@]}" -P '{port}' 127.0.0.1
client smbclient smb -- smbclient //127.0.0.1/x -N -p '{port}' -t 3600 -c ls
client msmtp smtp -- msmtp --host=127.0.0.1 '--port={port}' --from=a@example.org b@example.org
also tls -- msmtp --host=127.0.0.1 '--port={port}' --tls=on --tls-starttls=off --tls-certcheck=off \
    --from=a@example.org b@example.org
client swaks smtp -- swaks --to a@example.org --server 127.0.0.1 --port '{port}' --timeout 1h
client fetchmail pop3 -- bash -c 'exec fetchmail --pidfile "$PWD/pid" -f - <<<"
    poll 127.0.0.1 proto pop3 port $1 timeout 3600 user u password p sslproto \"\""' - '{port}'
client psql pgsql -- psql 'host=127.0.0.1 port={port} user=u dbname=d sslmode=disable' -c 'select 1'
client mariadb mysql -- mariadb -h 127.0.0.1 -P '{port}' --protocol=tcp -u u -e 'select 1'
client redis-cli redis waits=2 -- redis-cli -h 127.0.0.1 -p '{port}' get x
client memcping memcache -- memcping '--servers=127.0.0.1:{port}'
client mosquitto_pub mqtt -- mosquitto_pub -h 127.0.0.1 -p '{port}' -k 3600 -q 1 -t t -m hello
also tls -- mosquitto_pub --tls-use-os-certs --insecure -h 127.0.0.1 -p '{port}' -q 1 -t t -m hello
client mosquitto_sub mqtt -- mosquitto_sub -h 127.0.0.1 -p '{port}' -k 3600 -t t
client ldapsearch ldap -- ldapsearch -x -H 'ldap://127.0.0.1:{port}' -b dc=x
also tls -- env LDAPTLS_REQCERT=never ldapsearch -x -H 'ldaps://127.0.0.1:{port}' -b dc=x
client dig dns -- dig +tcp +tries=1 +timeout=600 @127.0.0.1 -p '{port}' example.org
# fgets comes back with half a line, and is called again
client whois line waits=2 -- whois -h 127.0.0.1 -p '{port}' example.org

# --- pipes to the network, and monitoring ---------------------------------------------------------

client socat line -- socat -u 'TCP:127.0.0.1:{port}' STDOUT
also noread -- socat -u 'OPEN:{big}' 'TCP:127.0.0.1:{port}'
also tls -- socat -u 'OPENSSL:127.0.0.1:{port},verify=0' STDOUT
client nc.openbsd line stdin=hold -- nc.openbsd 127.0.0.1 '{port}'
also noread stdin=zeros -- nc.openbsd 127.0.0.1 '{port}'
client nc.traditional line stdin=hold -- nc.traditional 127.0.0.1 '{port}'
also noread stdin=zeros -- nc.traditional 127.0.0.1 '{port}'
client ncat line stdin=hold -- ncat -w 600 127.0.0.1 '{port}'
also noread stdin=zeros -- ncat 127.0.0.1 '{port}'
also tls stdin=hold -- ncat -w 600 --ssl 127.0.0.1 '{port}'
client telnet line stdin=hold -- inetutils-telnet 127.0.0.1 '{port}'
client openssl tls -- openssl s_client -connect '127.0.0.1:{port}'
client gnutls-cli tls stdin=hold -- gnutls-cli --insecure -p '{port}' 127.0.0.1
client check_http http -- $monitor/check_http -t 3600 -I 127.0.0.1 -p '{port}'
also tls -- $monitor/check_http -S -t 3600 -I 127.0.0.1 -p '{port}'
client check_tcp line -- $monitor/check_tcp -t 3600 -H 127.0.0.1 -p '{port}' -e hello
client check_smtp smtp -- $monitor/check_smtp -t 3600 -H 127.0.0.1 -p '{port}'
client check_ssh ssh -- $monitor/check_ssh -t 3600 -H 127.0.0.1 -p '{port}'
