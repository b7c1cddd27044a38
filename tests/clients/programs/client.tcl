# SPDX-License-Identifier: MIT
#
# client.tcl PORT: a line there, and all that comes back, on a blocking channel.
set channel [socket 127.0.0.1 [lindex $argv 0]]
puts $channel hello
flush $channel
read $channel
