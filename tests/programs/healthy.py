#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients that wait for nobody in vain, and the server that they need.

    healthy.py serve                 HTTP on loopback; prints its port. GET /N gives N bytes, PUT
                                     /x answers with the SHA-256 of what came, GET /slow/N gives N
                                     bytes in pieces a second apart
    healthy.py get PORT N            by asyncio: prints the SHA-256 of N bytes
    healthy.py put PORT N            by asyncio: N bytes, prints what the server says of them
    healthy.py pause HOW PORT        reads 20 MB and twice does something else for 3 s meanwhile;
                                     HOW it waits: poll, select, epoll, recv
    healthy.py pool PORT             asks, idles in epoll for 5 s, asks again on the same connection
    healthy.py subscribe PORT        gets a greeting, idles in epoll for 5 s, gets a message
"""
import asyncio
import hashlib
import select
import socket
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler

PIECE = bytes(range(256)) * 4096  # 1 MiB


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        words = self.path.strip("/").split("/")
        count = int(words[-1])
        self.send_response(200)
        self.send_header("Content-Length", str(count))
        self.end_headers()
        while count > 0:
            piece = PIECE[: min(count, 100 if words[0] == "slow" else len(PIECE))]
            self.wfile.write(piece)
            count -= len(piece)
            if words[0] == "slow" and count > 0:
                time.sleep(1)

    def do_PUT(self):
        left = int(self.headers["Content-Length"])
        digest = hashlib.sha256()
        while left > 0:
            piece = self.rfile.read(min(left, len(PIECE)))
            digest.update(piece)
            left -= len(piece)
        said = digest.hexdigest().encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


def serve():
    with Server(("127.0.0.1", 0), Handler) as server:
        print("port", server.server_address[1], flush=True)
        server.serve_forever()


async def get(port, count):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % count)
    await reader.readuntil(b"\r\n\r\n")
    digest = hashlib.sha256()
    while count > 0:
        piece = await reader.read(min(count, len(PIECE)))
        if not piece:
            sys.exit("cut off")
        digest.update(piece)
        count -= len(piece)
    print(digest.hexdigest())
    writer.close()


async def put(port, count):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % count)
    while count > 0:
        piece = PIECE[: min(count, len(PIECE))]
        writer.write(piece)
        await writer.drain()
        count -= len(piece)
    await reader.readuntil(b"\r\n\r\n")
    print((await reader.readline()).decode().strip())
    writer.close()


def waiter(how, sock):
    if how == "recv":
        return lambda: None
    sock.setblocking(False)
    if how == "select":
        return lambda: select.select([sock], [], [])
    poll = select.poll() if how == "poll" else select.epoll()
    poll.register(sock, select.POLLIN)
    return poll.poll


def pause(how, port):
    sock = socket.create_connection(("127.0.0.1", port))
    wait = waiter(how, sock)
    count = 20 << 20
    sock.sendall(b"GET /%d HTTP/1.0\r\n\r\n" % count)
    at, pauses = 0, [1 << 20, 10 << 20]
    digest, head = hashlib.sha256(), b""
    while True:
        wait()
        piece = sock.recv(1 << 16)
        if not piece:
            break
        if b"\r\n\r\n" not in head:
            head += piece
            continue
        at += len(piece)
        if pauses and at >= pauses[0]:
            pauses.pop(0)
            time.sleep(3)
        if at >= count - (1 << 16):
            break
    print("read", at >= count - (1 << 16), "pauses left", len(pauses))


def read_until(epoll, sock, end):
    said = b""
    while not said.endswith(end):
        epoll.poll()
        piece = sock.recv(4096)
        if not piece:
            sys.exit("cut off")
        said += piece
    return said


def idle(epoll):
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if epoll.poll(until - time.monotonic()):
            return False
    return True


def pool(port):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setblocking(False)
    epoll = select.epoll()
    epoll.register(sock, select.EPOLLIN)
    for round_ in (1, 2):
        sock.send(b"ask\n")
        print(round_, read_until(epoll, sock, b"\n").decode().strip())
        if round_ == 1 and not idle(epoll):
            sys.exit("ended while idle")


def subscribe(port):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setblocking(False)
    epoll = select.epoll()
    epoll.register(sock, select.EPOLLIN)
    sock.send(b"subscribe\n")
    print(read_until(epoll, sock, b"ready\n").decode().strip())
    print(read_until(epoll, sock, b"news\n").decode().strip())


def main(what, *args):
    if what == "serve":
        serve()
    elif what in ("get", "put"):
        asyncio.run({"get": get, "put": put}[what](int(args[0]), int(args[1])))
    elif what == "pause":
        pause(args[0], int(args[1]))
    elif what == "pool":
        pool(int(args[0]))
    elif what == "subscribe":
        subscribe(int(args[0]))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
