# SPDX-License-Identifier: Apache-2.0
"""A caller on one connection: bytes go out exactly as written, answers are read by h11, which refuses what is no HTTP."""

import socket
import struct

import h11

PATIENCE = 20.0


class Message:
    """What h11 understood: a request or a response with all that belongs to it."""

    def __init__(self, head, interim=(), body=b"", trailers=()):
        self.head, self.interim, self.body, self.trailers = head, list(interim), body, list(trailers)

    @property
    def status(self):
        return self.head.status_code

    @property
    def reason(self):
        return bytes(self.head.reason)

    @property
    def method(self):
        return bytes(self.head.method)

    @property
    def target(self):
        return bytes(self.head.target)

    @property
    def version(self):
        return bytes(self.head.http_version)

    @property
    def text(self):
        return self.body.decode()

    @property
    def raw_headers(self):
        """As they were written, case and order kept."""
        return [(bytes(name), bytes(value)) for name, value in self.head.headers.raw_items()]

    def all(self, name):
        return [bytes(value).decode("latin-1") for key, value in self.head.headers if key == name.lower().encode()]

    def header(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times: {values}"
        return values[0] if values else None

    def __repr__(self):
        return f"{self.head!r} {self.body[:200]!r}"


class CutShort(Exception):
    """The connection ended inside a message, or before it."""


class BadMessage(Exception):
    """h11 says that this is no HTTP/1.1."""


def read_message(connection, receive):
    """One message from a fresh h11.Connection. receive(): the next bytes, b"" at the end of the stream."""
    head, interim, body, trailers, ended = None, [], [], [], False
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            if ended:
                raise CutShort(str(error)) from error
            raise BadMessage(str(error)) from error
        if event is h11.NEED_DATA:
            if ended:
                raise CutShort("the connection ended")
            data = receive()
            ended = data == b""
            connection.receive_data(data)
        elif isinstance(event, h11.InformationalResponse):
            interim.append(event)
        elif isinstance(event, (h11.Request, h11.Response)):
            head = event
        elif isinstance(event, h11.Data):
            body.append(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            return Message(head, interim, b"".join(body), event.headers.raw_items())
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise CutShort("the connection ended")


def request_bytes(method="GET", target="/", host=None, headers=(), body=None, version="1.1", chunks=None, trailers=()):
    """Headers: a dict, or pairs. `body` gets a Content-Length; `chunks` are sent chunked."""
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    for name, value in headers.items() if isinstance(headers, dict) else headers:
        lines.append(f"{name}: {value}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    if chunks is not None:
        lines.append("Transfer-Encoding: chunked")
    out = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")
    if chunks is not None:
        out += b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n"
        out += b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in trailers) + b"\r\n"
    return out


class Client:
    def __init__(self, address, receive_buffer=None, patience=PATIENCE, source=None):
        self.socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(address)
        self.left = b""

    def send(self, data):
        self.socket.sendall(data)

    def send_request(self, *arguments, **options):
        self.send(request_bytes(*arguments, **options))

    def receive(self):
        """The next bytes, b"" when the connection has ended, in whatever way."""
        if self.left:
            data, self.left = self.left, b""
            return data
        try:
            return self.socket.recv(65536)
        except ConnectionError:
            return b""

    def response(self, method="GET"):
        """The next response, to a request of that method."""
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        connection.send(h11.EndOfMessage())
        message = read_message(connection, self.receive)
        self.left = connection.trailing_data[0] + self.left
        return message

    def request(self, method="GET", host=None, **options):
        self.send_request(method, host=host, **options)
        return self.response(method)

    def get(self, host, target="/", **options):
        return self.request("GET", host, target=target, **options)

    def rest(self):
        """All bytes until the connection ends."""
        parts = []
        while True:
            data = self.receive()
            if not data:
                return b"".join(parts)
            parts.append(data)

    def at_end(self):
        """Whether the peer ends the connection without another byte."""
        return self.rest() == b""

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
