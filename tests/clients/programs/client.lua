-- SPDX-License-Identifier: MIT
--
-- client.lua LIBRARY PORT: fetches something from 127.0.0.1:PORT with LuaSocket; its http has a
-- limit of 60 s of its own, which is taken away.
local library, port = arg[1], tonumber(arg[2])

if library == 'socket' then
    local socket = assert(require('socket').connect('127.0.0.1', port))
    assert(socket:send('hello\n'))
    assert(socket:receive('*a'))
else
    local http = require('socket.http')
    http.TIMEOUT = nil
    assert(http.request('http://127.0.0.1:' .. port .. '/x'))
end
