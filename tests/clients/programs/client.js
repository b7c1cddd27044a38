// SPDX-License-Identifier: MIT
//
// client.js LIBRARY PORT: fetches something from 127.0.0.1:PORT. What goes wrong is an exception
// that nobody catches: node prints it, and status is 1.
'use strict'

const [library, port] = process.argv.slice(2)
const host = '127.0.0.1'
const size = 64 << 20

const drain = answer => answer.resume()
const libraries = {
  http: () => require('http').get({ host, port }, answer => drain(answer)),
  'http-tls': () =>
    require('https').get({ host, port, rejectUnauthorized: false }, answer => drain(answer)),
  'http-put': () => {
    const headers = { 'Content-Length': size }
    const request = require('http').request({ host, port, method: 'PUT', headers }, drain)
    let left = size
    const more = () => {
      while (left > 0) {
        left -= 65536
        if (!request.write(Buffer.alloc(65536))) return request.once('drain', more)
      }
      request.end()
    }
    more()
  },
  net: () => {
    const socket = require('net').connect({ host, port }, () => socket.write('hello\n'))
    socket.resume()
  },
  // undici's own limits are 300 s on headers and on the body
  fetch: async () => (await fetch(`http://${host}:${port}/x`)).text(),
}
libraries[library]()
