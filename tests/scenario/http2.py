# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 as others speak it: callers and origins by the library h2, and connections on which frames go out as they are written.

    origin = Http2Origin(body=b"hello")                     # answers 200 to each request when it has ended
    with Http2Client(weft.address()) as client:
        answer = client.get("web")                          # one stream, waited for
    with RawHttp2(weft.address()) as raw:                   # SETTINGS exchanged; then anything
        raw.frame(PING, 0, 0, bytes(8))
"""

import socket
import struct
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hpack

PATIENCE = 20.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 0, 1, 3, 7, 8, 9, 11
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 1, 2, 3, 4, 5, 6
GONE = (h2.exceptions.StreamClosedError, h2.exceptions.NoSuchStreamError, h2.exceptions.StreamIDTooLowError)
LARGE_WINDOW = (1 << 31) - 1 - 65535


def connect(address, context=None, server_name=None):
    connection = socket.create_connection(address, PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(connection, server_hostname=server_name) if context else connection


def text(fields):
    """Fields as h2 gives them, as pairs of strings."""
    return [(name.decode("latin-1") if isinstance(name, bytes) else name, value.decode("latin-1") if isinstance(value, bytes) else value)
            for name, value in fields]


class Exchange:
    """One stream's message: fields as pairs of strings, body as bytes. `reset`: the code that ended it before its end."""

    def __init__(self, stream):
        self.stream, self.fields, self.interim, self.trailers, self.body = stream, [], [], [], b""
        self.ended, self.reset, self.began = False, None, time.monotonic()
        self.took = None

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    def header(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def status(self):
        return int(self.header(":status"))

    def finish(self, reset=None):
        self.ended, self.reset, self.took = True, reset, time.monotonic() - self.began

    def __repr__(self):
        return f"stream {self.stream}: {self.fields} {self.body[:100]!r} reset {self.reset}"


class Http2Client:
    """A caller that keeps the protocol. Streams may overlap: start() several, then wait() for each."""

    def __init__(self, address, context=None, server_name=None):
        self.socket = connect(address, context, server_name)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self.exchanges, self.goaway = {}, None
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def start(self, authority, method="GET", path="/", headers=(), body=b"", scheme="http", end=True):
        """Sends a request whose body fits into the window; returns its Exchange."""
        stream = self.h2.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *headers]
        self.exchanges[stream] = Exchange(stream)
        self.h2.send_headers(stream, fields, end_stream=end and not body)
        for at in range(0, len(body), 16384):
            self.h2.send_data(stream, body[at:at + 16384], end_stream=end and at + 16384 >= len(body))
        self.flush()
        return self.exchanges[stream]

    def send(self, exchange, data, end=False):
        self.h2.send_data(exchange.stream, data, end_stream=end)
        self.flush()

    def cancel(self, exchange):
        self.h2.reset_stream(exchange.stream, CANCEL)
        exchange.finish(CANCEL)
        self.flush()

    def wait(self, exchange, until=lambda exchange: exchange.ended):
        while not until(exchange):
            data = self.socket.recv(65536)
            assert data, f"the connection ended before {exchange}"
            for event in self.h2.receive_data(data):
                self.take(event)
            self.flush()
        return exchange

    def take(self, event):
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event.error_code
        exchange = self.exchanges.get(getattr(event, "stream_id", None))
        if exchange is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            exchange.fields = text(event.headers)
        elif isinstance(event, h2.events.InformationalResponseReceived):
            exchange.interim.append(text(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            exchange.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            exchange.trailers = text(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            exchange.finish()
        elif isinstance(event, h2.events.StreamReset):
            exchange.finish(int(event.error_code))

    def request(self, *arguments, **options):
        return self.wait(self.start(*arguments, **options))

    def get(self, authority, path="/", **options):
        return self.request(authority, path=path, **options)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class RawHttp2:
    """A caller that sends any frames. What comes back is read as frames; SETTINGS are acknowledged on the way."""

    def __init__(self, address, settings=None, greet=True, context=None, server_name=None):
        self.socket = connect(address, context, server_name)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.buffer, self.frames, self.heads, self.closed = b"", [], {}, False
        if greet:
            self.send(PREFACE)
            self.frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", key, value) for key, value in (settings or {}).items()))
            self.wait(lambda frame: frame[0] == SETTINGS and frame[1] & ACK)

    # ---- out ----

    def send(self, data):
        """All of it, or as much as the other side takes before it ends the connection: False then."""
        try:
            self.socket.sendall(data)
        except (ConnectionError, TimeoutError):
            self.closed = True
        return not self.closed

    @staticmethod
    def bytes_of(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def frame(self, kind, flags, stream, payload=b""):
        return self.send(self.bytes_of(kind, flags, stream, payload))

    def block(self, fields):
        """Fields compressed by hpack, never checked by anybody."""
        return self.encoder.encode(fields)

    def headers(self, stream, fields, end=True, flags=END_HEADERS):
        return self.frame(HEADERS, flags | (END_STREAM if end else 0), stream, self.block(fields))

    @staticmethod
    def request(authority="web", method="GET", path="/", *more, scheme="http"):
        return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *more]

    # ---- in ----

    def receive(self):
        """Reads once. False at the end of the connection."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return False
        self.buffer += data
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
            self.arrived(kind, flags, stream & 0x7fffffff, self.buffer[9:9 + length])
            self.buffer = self.buffer[9 + length:]
        return True

    def arrived(self, kind, flags, stream, payload):
        self.frames.append((kind, flags, stream, payload))
        if kind == HEADERS:  # at once: the tables of both sides must stay in step
            assert flags & END_HEADERS and not flags & PADDED, "a head in a form that these tests don't read"
            self.heads.setdefault(stream, []).append(text(self.decoder.decode(payload)))
        if kind == SETTINGS and not flags & ACK:
            self.frame(SETTINGS, ACK, 0)

    def wait(self, wanted):
        """The first frame, of those that have come and will, for which wanted(frame) holds; None if the connection ends before."""
        at = 0
        while True:
            for frame in self.frames[at:]:
                if wanted(frame):
                    return frame
            at = len(self.frames)
            if not self.receive():
                return next((frame for frame in self.frames[at:] if wanted(frame)), None)

    def until_end(self):
        """Reads until the other side ends the connection."""
        while not self.closed and self.receive():
            pass

    def status(self, stream):
        """Of the last head on the stream that has one, or None."""
        return next((int(fields[0][1]) for fields in reversed(self.heads.get(stream, [])) if fields[0][0] == ":status"), None)

    def of(self, kind, stream=None):
        return [frame for frame in self.frames if frame[0] == kind and stream in (None, frame[2])]

    @property
    def goaway(self):
        """The error code of the last GOAWAY, or None."""
        frames = self.of(GOAWAY)
        return struct.unpack(">I", frames[-1][3][4:8])[0] if frames else None

    def reset_code(self, stream):
        frames = self.of(RST_STREAM, stream)
        return struct.unpack(">I", frames[-1][3])[0] if frames else None

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Http2Origin:
    """A server with a thread for each connection, in cleartext without an ssl `context`. `handler(connection, exchange)`: called when a request has ended,
    and with `early` when its head has come; it answers by connection.answer or leaves it."""

    def __init__(self, handler=None, status=200, body=b"", early=False, settings=None, context=None):
        self.context = context
        self.status, self.body, self.early, self.settings = status, body, early, settings or {}
        self.handler = handler or (lambda connection, exchange: connection.answer(exchange))
        self.requests, self.connections, self.complaints = [], [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = self.listener.getsockname()[:2]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(OriginConnection(self, connection))

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(PATIENCE)
        for connection in self.connections:
            connection.close()


class OriginConnection:
    """One connection to an Http2Origin. answer() may be called on any thread."""

    def __init__(self, origin, connection):
        self.origin, self.socket, self.lock = origin, connection, threading.RLock()
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        self.exchanges, self.waiting = {}, {}
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            with self.lock:
                if self.origin.context:
                    self.socket = self.origin.context.wrap_socket(self.socket, server_side=True)
                self.h2.initiate_connection()
                if self.origin.settings:
                    self.h2.update_settings(self.origin.settings)
                self.flush()
            while data := self.socket.recv(65536):
                with self.lock:
                    for event in self.h2.receive_data(data):
                        self.take(event)
                    self.flush()
        except OSError:
            pass
        except h2.exceptions.ProtocolError as error:
            self.origin.complaints.append(f"h2 on what weft forwards: {error!r}")
            with self.lock:
                self.flush()
        finally:
            self.socket.close()

    def flush(self):
        try:
            self.socket.sendall(self.h2.data_to_send())
        except OSError:
            pass

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            exchange = self.exchanges[event.stream_id] = Exchange(event.stream_id)
            exchange.fields = text(event.headers)
            self.origin.requests.append(exchange)
            if self.origin.early:
                self.origin.handler(self, exchange)
        exchange = self.exchanges.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.WindowUpdated):
            self.send_waiting()
        elif exchange is None:
            pass
        elif isinstance(event, h2.events.DataReceived):
            exchange.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            exchange.trailers = text(event.headers)
        elif isinstance(event, h2.events.StreamReset):
            exchange.finish(int(event.error_code))
        elif isinstance(event, h2.events.StreamEnded):
            exchange.finish()
            if not self.origin.early:
                self.origin.handler(self, exchange)

    def answer(self, exchange, status=None, body=None, headers=(), trailers=()):
        """Sends all of it as the windows allow; nothing, if the caller has taken its request back."""
        with self.lock:
            body = self.origin.body if body is None else body
            if exchange.header(":method") == "HEAD":
                body = b""
            fields = [(":status", str(status or self.origin.status)), *headers]
            try:
                self.h2.send_headers(exchange.stream, fields, end_stream=not body and not trailers)
            except GONE:
                return
            if body or trailers:
                self.waiting[exchange.stream] = (memoryview(body), list(trailers))
            self.send_waiting()
            self.flush()

    def send_waiting(self):
        """As much of each waiting body as the windows allow."""
        for stream, (body, trailers) in list(self.waiting.items()):
            try:
                body = self.send_some(stream, body, bool(trailers))
                if body:
                    self.waiting[stream] = (body, trailers)
                    continue
                if trailers:
                    self.h2.send_headers(stream, trailers, end_stream=True)
            except GONE:
                pass
            del self.waiting[stream]

    def send_some(self, stream, body, more):
        """What is left of a body after what its windows allow; `more`: it isn't the message's end."""
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room <= 0:
                break
            self.h2.send_data(stream, bytes(body[:room]), end_stream=len(body) <= room and not more)
            body = body[room:]
        return body

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(PATIENCE)
