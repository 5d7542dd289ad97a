# SPDX-License-Identifier: Apache-2.0
"""What weft calls: a server with a thread for each connection that records every byte and answers what it is told to.

    Origin()                          answers 200 and its own port to anything
    Origin(status=500)
    Origin(raw=b"HTTP/1.1 200 …")     these bytes to each request, whatever they are
    Origin(handler)                   handler(call) for each request; see Call
    Origin(connected=function)        function(Peer) for each connection; nothing is read before
"""

import os
import socket
import struct
import threading

import h11

from client import BadMessage, CutShort, read_message

PATIENCE = 20.0
LOUD = bool(os.environ.get("WEFT_TEST_TALK"))


class Peer:
    """One connection to an origin."""

    def __init__(self, origin, connection):
        self.origin, self.socket = origin, connection
        self.received = bytearray()
        self.left = b""
        self.ended = threading.Event()  # the peer's end was read, or we closed
        connection.settimeout(PATIENCE)

    def receive(self, most=65536):
        if self.left:
            data, self.left = self.left, b""
            return data
        try:
            data = self.socket.recv(most)
        except ConnectionError:
            data = b""
        self.received += data
        if not data:
            self.ended.set()
        return data

    def read(self):
        """One whole request, as h11 understands it."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        message = read_message(connection, self.receive)
        self.left = connection.trailing_data[0] + self.left
        return message

    def read_head(self):
        """A request's head as bytes, with the empty line at its end."""
        seen = b""
        while b"\r\n\r\n" not in seen:
            data = self.receive()
            if not data:
                raise CutShort("the connection ended in a head")
            seen += data
        head, _, self.left = seen.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def send(self, data):
        self.socket.sendall(data)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR) if not self._lingers() else None
        except OSError:
            pass
        self.socket.close()
        self.ended.set()

    def _lingers(self):
        try:
            return struct.unpack("ii", self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 0)
        except OSError:
            return False


class Call:
    """One request at an origin, and how to answer it."""

    def __init__(self, peer, message, number):
        self.peer, self.message, self.number = peer, message, number  # number: from 0, over all connections
        self.done = False

    def answer(self, status=200, body=b"", headers=(), reason=b"Whatever"):
        """With a Content-Length, where the status allows one."""
        if self.message.method == b"HEAD":
            length, body = len(body), b""
        else:
            length = len(body)
        lines = [b"HTTP/1.1 %d %s" % (status, reason)]
        lines += [f"{name}: {value}".encode("latin-1") for name, value in headers]
        if status >= 200 and status not in (204, 304):
            lines.append(b"Content-Length: %d" % length)
        self.peer.send(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    def send(self, data):
        self.peer.send(data)

    def close(self):
        self.peer.close()

    def reset(self):
        self.peer.reset()


class Origin:
    def __init__(self, handler=None, status=200, body=None, headers=(), raw=None, connected=None, ip="127.0.0.1", port=0):
        self.status, self.headers, self.raw = status, headers, raw
        self.handler = handler or self._answer
        self.connected = connected or self._serve
        self.peers, self.requests, self.complaints = [], [], []
        self.lock = threading.Lock()
        self.listener = socket.create_server((ip, port), backlog=1024, family=socket.AF_INET6 if ":" in ip else socket.AF_INET)
        self.address = self.listener.getsockname()[:2]
        self.body = str(self.address[1]).encode() if body is None else body
        self.closing = False
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.address[1]

    @property
    def received(self):
        """All bytes of all connections."""
        return b"".join(bytes(peer.received) for peer in self.peers)

    @property
    def last(self):
        return self.requests[-1]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(self, connection)
            self.peers.append(peer)
            threading.Thread(target=self._run, args=(peer,), daemon=True).start()

    def _run(self, peer):
        try:
            self.connected(peer)
        except (OSError, CutShort):
            pass
        except BadMessage as error:
            self.complaints.append(f"h11 on what weft forwards: {error}: {bytes(peer.received[-2000:])!r}")
        except Exception as error:  # a test's own handler failed: told at the end, or nobody would know
            self.complaints.append(f"an origin's handler failed: {error!r}")
            if LOUD:
                raise
        finally:
            peer.close()

    def _serve(self, peer):
        while not peer.ended.is_set():
            message = peer.read()
            with self.lock:
                call = Call(peer, message, len(self.requests))
                self.requests.append(message)
            self.handler(call)

    def _answer(self, call):
        if self.raw is None:
            call.answer(self.status, self.body, self.headers)
        else:
            call.send(self.raw)

    def close(self):
        """Refuses connections from now on, and closes those that there are."""
        self.closing = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(PATIENCE)
        for peer in list(self.peers):
            peer.close()
