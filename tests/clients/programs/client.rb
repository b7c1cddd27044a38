# SPDX-License-Identifier: MIT
#
# client.rb LIBRARY PORT: fetches something from 127.0.0.1:PORT. Net::HTTP's own limits of 60 s are
# taken away, and so is its second attempt.

require 'net/http'
require 'openssl'
require 'socket'

library, port = ARGV

def http(port, tls: false)
  http = Net::HTTP.new('127.0.0.1', port)
  http.open_timeout = http.read_timeout = http.write_timeout = nil
  http.max_retries = 0
  http.use_ssl = tls
  http.verify_mode = OpenSSL::SSL::VERIFY_NONE
  http
end

case library
when 'socket'
  socket = TCPSocket.new('127.0.0.1', port)
  socket.puts 'hello'
  socket.read
when 'http'
  http(port.to_i).get('/x').value
when 'http-tls'
  http(port.to_i, tls: true).get('/x').value
when 'http-put'
  http(port.to_i).put('/x', "\0" * (64 << 20))
end
