# SPDX-License-Identifier: Apache-2.0
"""Callers that stay: connections kept idle after one request each, and streams held open; and an origin that lets them wait."""
import selectors
import socket
import ssl
import struct
import threading
import time

from measure import Failure

PATIENCE = 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY, RST_STREAM, WINDOW_UPDATE = 0, 1, 4, 6, 7, 3, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def fields(case, method):
    """A header block by RFC 7541 without its dynamic table: :method, :scheme http, :path /, :authority."""
    return {"GET": b"\x82", "POST": b"\x83"}[method] + b"\x86\x84\x01" + bytes([len(case.host)]) + case.host.encode()


def connected(port):
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Http2:
    """One cleartext connection; counts the frames of each kind and flag that came for streams."""

    def __init__(self, case, port):
        self.case, self.socket, self.buffer = case, connected(port), b""
        self.heads = self.ends = self.pongs = 0
        # A window of 2^31-1 in all: nothing here waits for credit.
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 31) - 1 - 65535)))

    def ask(self, streams, method):
        """Opens streams; those with a method that takes a body stay open."""
        flags = END_HEADERS | (END_STREAM if method == "GET" else 0)
        self.socket.sendall(b"".join(frame(HEADERS, flags, 2 * number + 1, fields(self.case, method)) for number in range(streams)))

    def end(self, streams):
        self.socket.sendall(b"".join(frame(DATA, END_STREAM, 2 * number + 1) for number in range(streams)))

    def taken(self):
        """Until the proxy has read all that was sent."""
        self.socket.sendall(frame(PING, 0, 0, b"all read"))
        self.wait(0, 0, 1)

    def wait(self, heads, ends, pongs=0):
        while self.heads < heads or self.ends < ends or self.pongs < pongs:
            data = self.socket.recv(1 << 16)
            if not data:
                raise Failure("a held connection was closed")
            self.buffer += data
            self._take()

    def _take(self):
        at = 0
        while len(self.buffer) - at >= 9:
            length = int.from_bytes(self.buffer[at:at + 3], "big")
            kind, flags, stream = struct.unpack(">BBI", self.buffer[at + 3:at + 9])
            if len(self.buffer) - at < 9 + length:
                break
            at += 9 + length
            if kind == SETTINGS and not flags & ACK:
                self.socket.sendall(frame(SETTINGS, ACK, 0))
            elif kind == PING and flags & ACK:
                self.pongs += 1
            elif kind in (GOAWAY, RST_STREAM):
                raise Failure(f"a held {'stream' if kind == RST_STREAM else 'connection'} was ended by the proxy")
            elif stream:
                self.heads += kind == HEADERS
                self.ends += bool(kind in (HEADERS, DATA) and flags & END_STREAM)
        self.buffer = self.buffer[at:]

    def close(self):
        self.socket.close()


class Http1:
    """One connection, with TLS and a client certificate if the case says so."""

    def __init__(self, case, port, context):
        self.case, self.socket = case, connected(port)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname=case.host)

    def get(self):
        self.socket.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % self.case.host.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n" + self.case.answer):
            data = self.socket.recv(1 << 16)
            if not data or len(answer) > 1 << 16:
                raise Failure(f"a held connection got {answer[:80]!r}")
            answer += data

    def close(self):
        self.socket.close()


def client_context(case, pki):
    if case.downstream != "https":
        return None
    context = ssl.create_default_context(cafile=pki.ca)
    context.load_cert_chain(pki.client, pki.client_key)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def idle(case, port, pki, count):
    """count connections, each after one answered request."""
    context, held = client_context(case, pki), []
    for _ in range(count):
        if case.downstream == "h2c":
            one = Http2(case, port)
            one.ask(1, "GET")
            one.wait(1, 1)
        else:
            one = Http1(case, port, context)
            one.get()
        held.append(one)
    return held


def streaming(case, port, connections, streams):
    """Connections with that many streams each, all with their answers' heads and none ended."""
    held = [Http2(case, port) for _ in range(connections)]
    for one in held:
        one.ask(streams, "POST")
    for one in held:
        one.wait(streams, 0)
    return held


def waiting(case, port, connections, streams):
    """Connections with that many streams each, all read by the proxy, none answered."""
    held = [Http2(case, port) for _ in range(connections)]
    for one in held:
        one.ask(streams, "POST")
    for one in held:
        one.taken()
    return held


def waiting_at(origin, case, port, connections, streams):
    """The same with requests that have ended, each of which has come to the origin."""
    held = []
    origin.hold()
    for number in range(connections):
        held.append(Http2(case, port))
        held[-1].ask(streams, "GET")
        # One after the other: so many connections at once are more than the origin's backlog takes.
        origin.wait((number + 1) * streams)
    return held


class Origin:
    """HTTP/1.1 on a thread of this process: answers each request without a body at once or, behind hold(), at release()."""

    def __init__(self, case):
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(case.answer) + case.answer
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.listener.getsockname()[1]
        self.lock, self.holding, self.held, self.stopped = threading.Lock(), False, [], False
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def hold(self):
        self.holding = True

    def wait(self, requests):
        deadline = time.monotonic() + PATIENCE
        while len(self.held) < requests:
            if time.monotonic() > deadline:
                raise Failure(f"{len(self.held)} of {requests} requests have come to the origin")
            time.sleep(0.001)

    def release(self):
        with self.lock:
            self.holding = False
            for one in self.held:
                one.sendall(self.answer)

    def stop(self):
        self.stopped = True
        self.thread.join()

    def _serve(self):
        heads = {}
        while not self.stopped:
            for key, _ in self.selector.select(0.1):
                if key.fileobj is self.listener:
                    one = self.listener.accept()[0]
                    self.selector.register(one, selectors.EVENT_READ)
                    heads[one] = b""
                else:
                    self._read(key.fileobj, heads)
        for one in [self.listener, *heads]:
            one.close()

    def _read(self, one, heads):
        try:
            data = one.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            self.selector.unregister(one)
            del heads[one]
            one.close()
            return
        heads[one] += data
        if not heads[one].endswith(b"\r\n\r\n"):
            return
        heads[one] = b""
        with self.lock:
            if self.holding:
                self.held.append(one)
            else:
                one.sendall(self.answer)
