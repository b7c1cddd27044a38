# SPDX-License-Identifier: MIT
#
# client.py LIBRARY PORT: fetches something from 127.0.0.1:PORT as a program would that never heard
# of time limits. An error is python's own: a traceback, and status 1.
#
# LIBRARY is the name of a function here; with -tls the port speaks TLS, with -put a large upload
# is sent.

import sys

port = int(sys.argv[2])
here = "127.0.0.1"
size = 64 << 20


def http(scheme="http"):
    return "%s://%s:%d/x" % (scheme, here, port)


def tls():
    """A context that would take any certificate; the peers never get as far as to show one."""
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Zeros:
    """A file of that many zeros."""

    def __init__(self):
        self.left = size

    def read(self, n=-1):
        n = self.left if n < 0 else min(n, self.left)
        self.left -= n
        return bytes(n)


# --- the standard library -------------------------------------------------------------------------


def socket():
    import socket

    with socket.create_connection((here, port)) as s:
        s.sendall(b"hello\n")
        while s.recv(4096):
            pass


def socket_put():
    import socket

    with socket.create_connection((here, port)) as s:
        s.sendall(bytes(size))


def urllib():
    from urllib import request

    request.urlopen(http()).read()


def urllib_tls():
    from urllib import request

    request.urlopen(http("https"), context=tls()).read()


def http_client():
    import http.client

    connection = http.client.HTTPConnection(here, port)
    connection.request("GET", "/x")
    connection.getresponse().read()


def http_client_put():
    import http.client

    connection = http.client.HTTPConnection(here, port)
    connection.request("PUT", "/x", Zeros(), {"Content-Length": str(size)})
    connection.getresponse().read()


def ftplib():
    import ftplib

    ftplib.FTP().connect(here, port)


def smtplib():
    import smtplib

    smtplib.SMTP(here, port).sendmail("a@example.org", "b@example.org", "hello")


def imaplib():
    import imaplib

    imaplib.IMAP4(here, port).login("user", "word")


def poplib():
    import poplib

    poplib.POP3(here, port).stat()


def asyncio(make_tls=None):
    import asyncio

    async def main():
        reader, writer = await asyncio.open_connection(here, port, ssl=make_tls and make_tls())
        writer.write(b"GET /x HTTP/1.0\r\n\r\n")
        await reader.read()

    asyncio.run(main())


def asyncio_tls():
    # asyncio's own limit on a handshake is 60 s
    asyncio(tls)


def asyncio_put():
    import asyncio

    async def main():
        reader, writer = await asyncio.open_connection(here, port)
        for _ in range(size >> 16):
            writer.write(bytes(1 << 16))
            await writer.drain()

    asyncio.run(main())


# --- what Debian packages -------------------------------------------------------------------------


def aiohttp(method="GET", scheme="http", body=None):
    import asyncio
    import aiohttp

    async def main():
        unlimited = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(timeout=unlimited) as session:
            url = http(scheme)
            async with session.request(method, url, data=body, ssl=False) as answer:
                await answer.read()

    asyncio.run(main())


def aiohttp_tls():
    aiohttp(scheme="https")


def aiohttp_put():
    import io

    aiohttp("PUT", body=io.BytesIO(bytes(size)))


def requests():
    import requests

    requests.get(http()).content


def requests_tls():
    import requests

    requests.get(http("https"), verify=False).content


def requests_put():
    import requests

    requests.put(http(), data=bytes(size)).content


def httpx():
    import httpx

    httpx.get(http(), timeout=None).content


def httpx_tls():
    import httpx

    httpx.get(http("https"), timeout=None, verify=False).content


def twisted():
    from twisted.internet import protocol, reactor

    class Fetch(protocol.Protocol):
        def connectionMade(self):
            self.transport.write(b"hello\n")

        def connectionLost(self, reason):
            fail(reason)

    class Factory(protocol.ClientFactory):
        protocol = Fetch

        def clientConnectionFailed(self, connector, reason):
            fail(reason)

    why = []

    def fail(reason):
        why.append(reason)
        reactor.stop()

    reactor.connectTCP(here, port, Factory(), timeout=3600)
    reactor.run()
    sys.exit(why[0].getErrorMessage())


def gevent():
    from gevent import monkey

    monkey.patch_all()
    socket()


def psycopg2():
    import psycopg2

    psycopg2.connect(host=here, port=port, user="u", dbname="d", sslmode="disable")


def pymysql():
    import pymysql

    pymysql.connect(host=here, port=port, user="u", connect_timeout=3600)


def redis():
    import redis

    print(redis.Redis(here, port).get("x"))


def paho():
    import paho.mqtt.publish as publish

    publish.single("t", "hello", qos=1, hostname=here, port=port, keepalive=3600)


def ldap3():
    import ldap3

    server = ldap3.Server(here, port, get_info=ldap3.NONE)
    ldap3.Connection(server, auto_bind=True)


globals()[sys.argv[1].replace("-", "_")]()
