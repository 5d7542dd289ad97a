# SPDX-License-Identifier: Apache-2.0
"""What HTTP/2 callers can do to a proxy that is cheap for them: each costs weft a bounded amount, is counted, and keeps nobody
who is honest from being served. Some are known by names: rapid reset (CVE-2023-44487), CONTINUATION flood (CVE-2024-27316),
made you reset (CVE-2025-8671), HPACK bomb (CVE-2016-6581), the floods of CVE-2019-9511 to 9518."""

import socket
import ssl
import struct
import threading
import time

import pytest

from certificates import Authority
from http2 import (
    CANCEL, CONTINUATION, DATA, END_HEADERS, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE, LARGE_WINDOW,
    MAX_CONCURRENT_STREAMS, PATIENCE, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, Http2Client, Http2Origin, RawHttp2)
from mesh import sanitized, wait_until

MIB = 1 << 20
MOST_ADDED = 12 * MIB          # to resident memory, by any of these
MOST_SENT = 64 * MIB           # that an attacker gets rid of before it is stopped, buffers of the kernel included
SOON = 5.0                     # seconds within which an honest request is answered, whatever goes on beside it
TAKEN_BACK = struct.pack(">I", CANCEL)


class Beside:
    """An honest caller: one request after the other on a connection of its own, for as long as the block lasts."""

    def __init__(self, weft, soon=SOON):
        self.client, self.took, self.failure, self.over = Http2Client(weft.address()), [], None, threading.Event()
        self.soon = soon
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            while not self.over.is_set():
                answer = self.client.get("web")
                assert answer.reset is None and answer.status == 200 and answer.body == b"honest", answer
                self.took.append(answer.took)
                self.over.wait(0.005)
        except Exception as error:
            self.failure = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.thread.join(60)
        self.client.close()
        if kind is None:
            assert self.failure is None, self.failure
            assert self.took and max(self.took) < self.soon, max(self.took, default=None)


@pytest.fixture(name="setting")
def make_setting(mesh):
    """(weft with an h2 router, its origin). At the end memory must be as it was, more or less."""
    origin = Http2Origin(body=b"honest")
    mesh.service("web", origin.address)
    weft = mesh.weft(protocol="h2")
    with Http2Client(weft.address()) as client:
        assert client.get("web").body == b"honest"
    before = weft.resident_bytes()
    yield weft, origin
    added = weft.resident_bytes() - before
    with Http2Client(weft.address()) as client:
        assert client.get("web").body == b"honest"
    assert sanitized() or added < MOST_ADDED, f"{added / MIB:.1f} MiB more"
    mesh.close()
    origin.close()
    assert not origin.complaints


def pour(raw, piece, most=MOST_SENT):
    """Sends a piece again and again until weft ends the connection. Reads nothing, as an attacker wouldn't; bytes sent."""
    sent = 0
    raw.socket.settimeout(SOON)
    while raw.send(piece):
        sent += len(piece)
        assert sent < most, "it takes this for ever"
    return sent


def ended_with(raw, *codes):
    """The connection is ended, by GOAWAY with one of the codes if that still came through."""
    raw.until_end()
    assert raw.goaway in (None, *codes)


def streams_of(raw, count, first=1, step=2):
    return range(first, first + step * count, step)


# ---- floods: the connection is ended ----

def rapid_reset(raw):
    """Requests, each taken back at once."""
    head = raw.block(raw.request())
    for at in range(0, 200_000, 500):
        piece = b"".join(raw.bytes_of(HEADERS, END_HEADERS | 1, stream, head) + raw.bytes_of(RST_STREAM, 0, stream, TAKEN_BACK)
                         for stream in streams_of(raw, 500, 2 * at + 1))
        if not raw.send(piece):
            return
    pytest.fail("200,000 requests were taken and reset")


def made_you_reset(raw):
    """Requests that weft itself has to reset, though each began well: a window update of 0 behind it."""
    head = raw.block(raw.request(method="POST"))
    for at in range(0, 200_000, 500):
        piece = b"".join(raw.bytes_of(HEADERS, END_HEADERS, stream, head) + raw.bytes_of(WINDOW_UPDATE, 0, stream, bytes(4))
                         for stream in streams_of(raw, 500, 2 * at + 1))
        if not raw.send(piece):
            return
    pytest.fail("200,000 requests were reset")


def wrong_requests(raw):
    """Requests that weft itself has to reset: a name in upper case."""
    head = raw.block([*raw.request(), ("X-Wrong", "a")])
    for at in range(0, 200_000, 500):
        if not raw.send(b"".join(raw.bytes_of(HEADERS, END_HEADERS | 1, stream, head) for stream in streams_of(raw, 500, 2 * at + 1))):
            return
    pytest.fail("200,000 wrong requests were answered")


def continuations(raw):
    raw.frame(HEADERS, 0, 1, raw.block(raw.request()))
    field = raw.encoder.encode([("x-padding", "y" * 100)]) * 100
    pour(raw, raw.bytes_of(CONTINUATION, 0, 1, field[:16000]))


def empty_continuations(raw):
    raw.frame(HEADERS, 0, 1, raw.block(raw.request()))
    pour(raw, raw.bytes_of(CONTINUATION, 0, 1) * 1000)


def settings(raw):
    pour(raw, raw.bytes_of(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 65535)) * 1000)


def empty_settings(raw):
    pour(raw, raw.bytes_of(SETTINGS, 0, 0) * 1000)


def pings(raw):
    pour(raw, raw.bytes_of(PING, 0, 0, b"flooding") * 1000)


def priorities(raw):
    pour(raw, b"".join(raw.bytes_of(PRIORITY, 0, stream, struct.pack(">IB", 0, 15)) for stream in streams_of(raw, 1000)))


def empty_data(raw):
    raw.headers(1, raw.request(method="POST"), end=False)
    pour(raw, raw.bytes_of(DATA, 0, 1) * 1000)


def padded_data(raw):
    """Frames that are nothing but padding: they use up windows and tell nothing."""
    raw.headers(1, raw.request(method="POST"), end=False)
    for _ in range(200_000):
        if not raw.frame(DATA, 8, 1, b"\x00"):
            return
    pytest.fail("200,000 frames without a byte were taken")


def window_updates(raw):
    raw.headers(1, raw.request(method="POST"), end=False)
    pour(raw, raw.bytes_of(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)) * 1000)


def unknown_frames(raw):
    pour(raw, raw.bytes_of(0xfa, 0, 0, b"") * 1000)


FLOODS = {
    rapid_reset: "reset_floods", made_you_reset: "floods", wrong_requests: "reset_floods", continuations: "floods", empty_continuations: "floods",
    settings: "floods", empty_settings: "floods", pings: "floods", priorities: "floods", empty_data: "floods", padded_data: "floods",
    window_updates: "floods", unknown_frames: "floods",
}


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_flood(setting, flood):
    weft, origin = setting
    counted, asked = weft.metric(FLOODS[flood]), len(origin.requests)
    with Beside(weft) as beside, RawHttp2(weft.address()) as raw:
        flood(raw)
        ended_with(raw, ENHANCE_YOUR_CALM)
    assert weft.metric(FLOODS[flood]) == counted + 1
    # What the honest caller sent, and no more of the attacker's than were allowed to run at once and be reset.
    assert len(origin.requests) - asked - len(beside.took) <= 2500


# ---- header lists ----

def bomb(raw, stream, entry, references):
    """A head of few bytes that says one large field again and again, out of the dynamic table."""
    fields = raw.block(raw.request()) + b"\x40\x01x" + hpack_string(b"y" * entry)
    return raw.bytes_of(HEADERS, END_HEADERS | 1, stream, fields + b"\xbe" * references)


def hpack_string(data):
    """A string of RFC 7541 section 5.2, not Huffman-coded; its length with a 7-bit prefix."""
    if len(data) < 127:
        return bytes([len(data)]) + data
    length, out = len(data) - 127, [127]
    while length >= 128:
        out.append(length % 128 + 128)
        length //= 128
    return bytes([*out, length]) + data


def refused(raw, stream):
    """How a stream was refused: a status, or the code of its reset or of the connection's end. None: it wasn't."""
    frame = raw.wait(lambda one: one[2] == stream and one[0] in (HEADERS, RST_STREAM) or one[0] == GOAWAY)
    if frame is None or frame[0] == GOAWAY:
        return "goaway"
    if frame[0] == RST_STREAM:
        return "reset"
    return raw.status(stream)


def test_hpack_bomb(setting):
    weft, origin = setting
    counted, asked = weft.metric("large_heads"), len(origin.requests)
    with Beside(weft) as beside:
        for _ in range(20):
            with RawHttp2(weft.address()) as raw:
                # 14 MB of fields in 7.6 KB.
                raw.send(bomb(raw, 1, 4000, 3500))
                assert refused(raw, 1) in (431, "reset", "goaway")
    assert weft.metric("large_heads") >= counted + 20
    assert len(origin.requests) - asked == len(beside.took)


@pytest.mark.parametrize("fields", [
    pytest.param([("x-large", "y" * 60_000)], id="one large field"), pytest.param([(f"x-{n}", "y" * 50) for n in range(2000)], id="many fields"),
    pytest.param([("x-large", "y" * 1000)] * 100, id="the same field"),
])
def test_oversized_header_list(setting, fields):
    """Refused by itself: the connection, whose tables are still in step, goes on."""
    weft, origin = setting
    counted, asked = weft.metric("large_heads"), len(origin.requests)
    with RawHttp2(weft.address()) as raw:
        block = raw.block([*raw.request(), *fields])
        pieces = [block[at:at + 16000] for at in range(0, len(block), 16000)]
        for number, piece in enumerate(pieces):
            raw.frame(CONTINUATION if number else HEADERS, (0 if number else 1) | (END_HEADERS if piece is pieces[-1] else 0), 1, piece)
        assert refused(raw, 1) in (431, "reset", "goaway")
        if not raw.of(GOAWAY):
            raw.headers(3, raw.request())
            assert refused(raw, 3) == 200
            asked += 1
    assert weft.metric("large_heads") + weft.metric("floods") > counted
    assert len(origin.requests) == asked


# ---- windows and slow readers ----

LARGE = bytes(16 * MIB)


def large(connection, exchange):
    """An origin's answer: 16 MiB to those who ask for it."""
    connection.answer(exchange, body=LARGE if exchange.header(":path") == "/large" else b"honest")


@pytest.fixture(name="large_setting")
def make_large_setting(mesh):
    origin = Http2Origin(large, settings={MAX_CONCURRENT_STREAMS: 1000})
    mesh.service("web", origin.address)
    weft = mesh.weft(protocol="h2")
    with Http2Client(weft.address()) as client:
        assert client.get("web").body == b"honest"
    yield weft, origin
    mesh.close()
    origin.close()


def stays_small(weft, seconds=1.5):
    """Resident memory over a while in which a proxy that reads ahead would take all that origins have."""
    before, most, end = weft.resident_bytes(), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, weft.resident_bytes() - before)
        time.sleep(0.02)
    return most


@pytest.mark.parametrize("streams", [1, 50])
@pytest.mark.parametrize("window", [0, 1, 65535])
def test_windows_that_stay_shut(large_setting, window, streams):
    """Large answers are asked for, and their windows never opened: what isn't taken isn't read from the origin."""
    weft, _ = large_setting
    before = weft.resident_bytes()
    with Beside(weft), RawHttp2(weft.address(), {INITIAL_WINDOW_SIZE: window}) as raw:
        for stream in streams_of(raw, streams):
            raw.headers(stream, raw.request(path="/large"))
        stays_small(weft)
        added = weft.resident_bytes() - before
    # Of each stream at most its window from the origin (64 KiB), and room for what is being passed on.
    assert sanitized() or added < 4 * MIB + streams * 160 * 1024, f"{added / MIB:.1f} MiB"


def test_window_dripped_byte_by_byte(large_setting):
    weft, _ = large_setting
    with Beside(weft), RawHttp2(weft.address(), {INITIAL_WINDOW_SIZE: 0}) as raw:
        raw.headers(1, raw.request(path="/large"))
        for _ in range(300):
            raw.frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1))
            raw.wait(lambda frame: sum(len(one[3]) for one in raw.of(DATA, 1)) >= 1)
            raw.frames.clear()
        raw.frame(RST_STREAM, 0, 1, TAKEN_BACK)


def test_windows_that_open_and_shut_by_settings(large_setting):
    """The window of every stream swings to and fro with each SETTINGS (RFC 9113 section 6.9.2)."""
    weft, _ = large_setting
    with Beside(weft), RawHttp2(weft.address(), {INITIAL_WINDOW_SIZE: 0}) as raw:
        for stream in streams_of(raw, 20):
            raw.headers(stream, raw.request(path="/large"))
        for number in range(200):
            raw.frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 1000 if number % 2 else 0))
        raw.wait(lambda frame: frame[0] == DATA)
        assert raw.goaway in (None, ENHANCE_YOUR_CALM)


@pytest.mark.alone
def test_readers_that_never_read(large_setting):
    """All windows open, but the socket is never read: 20 connections of 10 streams each. They share a connection to the origin with
    the honest caller, and all that they leave there would be more than it may hold."""
    weft, origin = large_setting
    before = weft.resident_bytes()
    # The origin has much to do for the others at first.
    with Beside(weft, soon=PATIENCE) as beside:
        held = []
        try:
            for _ in range(20):
                raw = RawHttp2(weft.address(), {INITIAL_WINDOW_SIZE: (1 << 31) - 1})
                held.append(raw)
                raw.frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGE_WINDOW))
                for stream in streams_of(raw, 10):
                    raw.headers(stream, raw.request(path="/large"))
            stays_small(weft)
            added = weft.resident_bytes() - before
            # Nothing moves any more but what is honest.
            answered = len(beside.took)
            wait_until(lambda: len(beside.took) >= answered + 20 or beside.failure, "honest requests to be answered")
        finally:
            for raw in held:
                raw.close()
    assert len(origin.connections) == 1
    assert sanitized() or added < 40 * MIB, f"{added / MIB:.1f} MiB"


def test_one_slow_stream_does_not_hold_up_the_others_of_its_connection(large_setting):
    weft, _ = large_setting
    with RawHttp2(weft.address()) as raw:
        raw.headers(1, raw.request(path="/large"))
        raw.wait(lambda frame: sum(len(one[3]) for one in raw.of(DATA, 1)) >= 65535)
        raw.frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 20))
        for stream in streams_of(raw, 100, 3):
            raw.headers(stream, raw.request())
            assert raw.wait(lambda frame: frame[0] == DATA and frame[2] == stream and frame[1] & 1)


def test_more_streams_than_allowed(setting):
    """Those above the limit are refused, and the others are served."""
    weft, origin = setting
    held = threading.Event()
    origin.handler = lambda connection, exchange: (held.wait(10), connection.answer(exchange))
    counted = weft.metric("refused_streams")
    with RawHttp2(weft.address()) as raw:
        limit = next((struct.unpack(">I", payload[at + 2:at + 6])[0] for _, _, _, payload in raw.of(SETTINGS)
                      for at in range(0, len(payload), 6) if payload[at:at + 2] == b"\x00\x03"), None)
        assert limit and limit <= 1000
        raw.send(b"".join(raw.bytes_of(HEADERS, END_HEADERS | 1, stream, raw.block(raw.request())) for stream in streams_of(raw, limit + 50)))
        wait_until(lambda: weft.metric("refused_streams") == counted + 50, "the streams above the limit to be refused")
        held.set()
        for stream in streams_of(raw, limit):
            assert refused(raw, stream) == 200


# ---- TLS ----

@pytest.fixture(name="secure")
def make_secure(mesh):
    """(weft with a TLS listener, a context that trusts it)"""
    authority = Authority(mesh.folder)
    web = authority.issue("web", dns=["web"])
    origin = Http2Origin(body=b"honest")
    mesh.service("web", origin.address)
    weft = mesh.weft(protocol="h2", server={"tls": {"certPath": web.certificate, "keyPath": web.key}})
    context = ssl.create_default_context(cafile=authority.bundle)
    context.set_alpn_protocols(["h2"])
    yield weft, context
    mesh.close()
    origin.close()


def client_hello(context):
    """The bytes that a client begins with."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="web").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


@pytest.mark.parametrize("share", ["nothing", "half", "all but the last byte", "a whole hello"])
def test_half_open_handshakes(secure, share):
    """500 connections that begin a handshake and go no further: each costs little, and honest callers get theirs."""
    weft, context = secure
    hello = client_hello(context)
    part = {"nothing": b"", "half": hello[:len(hello) // 2], "all but the last byte": hello[:-1], "a whole hello": hello}[share]
    with Http2Client(weft.address(), context, "web") as client:
        assert client.get("web", scheme="https").body == b"honest"
    before, held = weft.resident_bytes(), []
    try:
        for _ in range(500):
            connection = socket.create_connection(weft.address(), 20)
            connection.sendall(part)
            held.append(connection)
        for _ in range(10):
            with Http2Client(weft.address(), context, "web") as client:
                answer = client.get("web", scheme="https")
                assert answer.body == b"honest" and answer.took < SOON
        added = weft.resident_bytes() - before
    finally:
        for connection in held:
            connection.close()
    assert sanitized() or added < 500 * 64 * 1024, f"{added / 500 / 1024:.1f} KiB each"


def test_garbage_instead_of_a_handshake(secure):
    weft, context = secure
    for garbage in (b"GET / HTTP/1.1\r\nHost: web\r\n\r\n", bytes(100), b"\x16\x03\x01\xff\xff" + bytes(1000), b"\x15\x03\x03\x00\x02\x02\x28"):
        with socket.create_connection(weft.address(), 20) as connection:
            connection.sendall(garbage)
            while connection.recv(4096):
                pass
    with Http2Client(weft.address(), context, "web") as client:
        assert client.get("web", scheme="https").body == b"honest"
