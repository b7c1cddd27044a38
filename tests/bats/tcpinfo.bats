#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # jq's $; helpers and fds set and read
#
# The tcp of a close record: against what was sent and received, and against the kernel's own bytes.

load helpers
load fds

# talked STEP…: a connection to an echoing peer: 1000 bytes out, 1000 back; then STEPs.
talked() {
    peer_start echo
    connected "$PEER_PORT"
    logged -- "$FDS" "${connected[@]}" send:a:1000 recv:a:1000 "$@"
    [[ $status -eq 0 ]] || fail "the program failed"
}

@test "tcp: bytes, segments, state and options of what was sent and received" {
    talked close:a
    assert_field .tcp.bytes_sent 1000
    assert_field .tcp.bytes_received 1000
    assert_field .tcp.bytes_acked 1001 # and the SYN
    assert_field .tcp.state ESTABLISHED
    assert_field .tcp.data_segs_out 1
    assert_field '.tcp.options | type' array
    [[ $(record close '.tcp.options | sort | join(" ")') == "SACK TIMESTAMPS WSCALE"* ]] ||
        fail "options: $(record close .tcp.options)"
    assert_field '[.tcp.bytes_retrans, .tcp.retransmits, .tcp.backoff] | add' 0
    assert_between 1 100000 "$(record close .tcp.rtt_us)" rtt_us
    assert_between 1000 10000000 "$(record close .tcp.rto_us)" rto_us
}

@test "tcp: the state by name" {
    talked shutdown:a:1 close:a
    [[ $(record close .tcp.state) =~ ^FIN_WAIT(1|2)$|^TIME_WAIT$|^CLOSE$ ]] ||
        fail "state: $(record close .tcp.state)"
    rm log
    peer_start close
    connected "$PEER_PORT"
    logged -- "$FDS" "${connected[@]}" recv:a:1 close:a
    assert_field .tcp.state CLOSE_WAIT
}

@test "tcp: silence is measured in the right direction" {
    talked rest:300 send:a:1 recv:a:1 rest:100 close:a
    assert_between 90 1000 "$(record close .tcp.last_data_recv_ms)" last_data_recv_ms
    assert_between 90 1000 "$(record close .tcp.last_data_sent_ms)" last_data_sent_ms
    rm log
    peer_start mute
    connected "$PEER_PORT"
    logged -- "$FDS" "${connected[@]}" rest:300 send:a:1 close:a
    assert_between 250 2000 "$(record close .tcp.last_data_recv_ms)" last_data_recv_ms
    assert_between 0 150 "$(record close .tcp.last_data_sent_ms)" last_data_sent_ms
}

# The kernel's struct tcp_info (include/uapi/linux/tcp.h, Linux 6.7): name, offset, size. What is
# told by name (state, options) or packed into bits is compared in the program.
read -r -d '' fields <<'FIELDS' || true
ca_state 1 1
retransmits 2 1
probes 3 1
backoff 4 1
rto 8 4
ato 12 4
snd_mss 16 4
rcv_mss 20 4
unacked 24 4
sacked 28 4
lost 32 4
retrans 36 4
fackets 40 4
last_data_sent 44 4
last_ack_sent 48 4
last_data_recv 52 4
last_ack_recv 56 4
pmtu 60 4
rcv_ssthresh 64 4
rtt 68 4
rttvar 72 4
snd_ssthresh 76 4
snd_cwnd 80 4
advmss 84 4
reordering 88 4
rcv_rtt 92 4
rcv_space 96 4
total_retrans 100 4
pacing_rate 104 8
max_pacing_rate 112 8
bytes_acked 120 8
bytes_received 128 8
segs_out 136 4
segs_in 140 4
notsent_bytes 144 4
min_rtt 148 4
data_segs_in 152 4
data_segs_out 156 4
delivery_rate 160 8
busy_time 168 8
rwnd_limited 176 8
sndbuf_limited 184 8
delivered 192 4
delivered_ce 196 4
bytes_sent 200 8
bytes_retrans 208 8
dsack_dups 216 4
reord_seen 220 4
rcv_ooopack 224 4
snd_wnd 228 4
rcv_wnd 232 4
rehash 236 4
total_rto 240 2
total_rto_recoveries 242 2
total_rto_time 244 4
FIELDS

# compare.py INFO RECORD < fields: the record's tcp against the kernel's own bytes, taken just
# before. Times since may have moved on; nothing else.
read -r -d '' compare <<'PYTHON' || true
import json, re, sys
info = open(sys.argv[1], "rb").read()
tcp = json.loads(sys.argv[2])["tcp"]
units = r"(_us|_ms|_bytes|_bps|_bytes_per_s|_packets|_segments)?"
faults, seen = [], {"state", "options", "tail_hex"}
def value(offset, size):
    return int.from_bytes(info[offset:offset + size], sys.byteorder)
for line in sys.stdin:
    name, offset, size = line.split()
    offset, size = int(offset), int(size)
    keys = [key for key in tcp if re.fullmatch(name + units, key)]
    exact = [key for key in keys if key == name]
    keys = exact or keys
    there = offset + size <= len(info)
    if len(keys) != (1 if there else 0):
        faults.append("%s: keys %s, the kernel has it: %s" % (name, keys, there))
        continue
    if not there:
        continue
    seen.add(keys[0])
    told, is_now = tcp[keys[0]], value(offset, size)
    if told is None:
        told = 2 ** (8 * size) - 1
    slack = 100 if name.startswith("last_") else 0
    if name in ("busy_time", "rwnd_limited", "sndbuf_limited", "rcv_ssthresh", "rcv_wnd"):
        slack = max(is_now, 100000)
    if not is_now <= told <= is_now + slack and not (name.startswith("last_") and told < is_now):
        faults.append("%s: told %s, the kernel says %s" % (name, told, is_now))
wscale = value(6, 1)
for name, bits in (("snd_wscale", wscale & 15), ("rcv_wscale", wscale >> 4),
                   ("delivery_rate_app_limited", value(7, 1) & 1),
                   ("fastopen_client_fail", value(7, 1) >> 1 & 3)):
    if name not in tcp:
        faults.append("%s is missing" % name)
    else:
        seen.add(name)
        if int(tcp[name]) != bits:
            faults.append("%s: told %s, the kernel says %s" % (name, tcp[name], bits))
names = dict(enumerate("ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE "
                       "CLOSE_WAIT LAST_ACK LISTEN CLOSING NEW_SYN_RECV".split(), 1))
if tcp["state"] != names[value(0, 1)]:
    faults.append("state: told %s, the kernel says %s" % (tcp["state"], names[value(0, 1)]))
told = 0
for option in tcp["options"]:
    told |= {"TIMESTAMPS": 1, "SACK": 2, "WSCALE": 4, "ECN": 8, "ECN_SEEN": 16, "SYN_DATA": 32,
             "USEC_TS": 64, "TFO_CHILD": 128}.get(option, 1 << 20)
if told != value(5, 1):
    faults.append("options: told %s, the kernel says %#x" % (tcp["options"], value(5, 1)))
if info[248:].hex() != tcp.get("tail_hex", ""):
    faults.append("tail_hex: told %s, the kernel says %s" % (tcp.get("tail_hex"), info[248:].hex()))
faults += ["%s is no field of the kernel's" % key for key in tcp if key not in seen]
print(len(info), "bytes")
sys.exit("\n".join(faults) if faults else 0)
PYTHON

# as_the_kernel FILE: the only close against those bytes.
as_the_kernel() {
    requires python3
    run python3 -c "$compare" "$1" "$(record close)" <<<"$fields"
    [[ $status -eq 0 ]] || fail "not as the kernel has it"
}

@test "tcp: every field that the kernel filled in, and no other; the rest as tail_hex" {
    talked tcpinfo:a:info close:a
    as_the_kernel info
    # a kernel that fills in fewer has fewer of them in the record, too: the socket of a listener
    # fills in as many as any other, so the test knows its own kernel's count only
    [[ ${lines[0]} =~ ^([0-9]+)\ bytes$ && ${BASH_REMATCH[1]} -ge 192 ]] || fail "${lines[0]}"
    if [[ ${BASH_REMATCH[1]} -gt 248 ]]; then
        assert_field '.tcp.tail_hex | length' $((2 * (BASH_REMATCH[1] - 248)))
    else
        assert_field '.tcp | has("tail_hex")' false
    fi
}

@test "tcp: the same after the peer's reset, and of a connection that sends more than is taken" {
    peer_start reset
    connected "$PEER_PORT"
    logged -- "$FDS" "${connected[@]}" recv:a:1 tcpinfo:a:info close:a
    as_the_kernel info
    assert_field .tcp.state CLOSE
    rm log
    peer_start noread
    connected "$PEER_PORT"
    logged SOCKTMO_SEND=200ms -- "$FDS" "${connected[@]}" send:a:100000000 tcpinfo:a:info2 close:a
    as_the_kernel info2
    [[ $(record close '.tcp.unacked + .tcp.notsent_bytes') -gt 0 ]] || fail "nothing is stuck"
}
