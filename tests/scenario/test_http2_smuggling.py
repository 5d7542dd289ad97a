# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 requests that would mean something else as HTTP/1.1 (RFC 9113 sections 8.2 and 8.3): refused, and not a byte of them
reaches the HTTP/1.1 origin behind weft, which keeps all that it receives."""

import struct

import pytest

from http2 import CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, Http2Client, RawHttp2
from mesh import Mesh, wait_until

VICTIM = b"GET /victim HTTP/1.1\r\nHost: web\r\n\r\n"
GET = [(":method", "GET"), (":scheme", "http"), (":authority", "web"), (":path", "/")]
POST = [(":method", "POST"), *GET[1:]]


@pytest.fixture(name="chain", scope="module")
def make_chain(tmp_path_factory):
    """An HTTP/1.1 origin that says 200 to anything, a weft with an h2 router before it, and a good request before all."""
    mesh = Mesh(tmp_path_factory.mktemp("smuggling"))
    try:
        mesh.service("web", mesh.origin(body=b"ok"))
        weft = mesh.weft(protocol="h2", client={"protocol": "http"}, dtab="/svc/* => /#/io.l5d.fs/web")
        with Http2Client(weft.address()) as client:
            assert client.get("web").body == b"ok"
        yield mesh, weft
        mesh.close()
    finally:
        mesh.stop()


def but(fields=GET, drop=(), **changed):
    """Fields without some, and with other values for some: method="X" changes :method."""
    return [(name, changed.get(name[1:], value)) for name, value in fields if name not in drop]


# name: header list. Each is malformed by itself.
HEADS = {
    # 8.2.1: names
    "upper case in a name": [*GET, ("X-Upper", "a")],
    "no name": [*GET, ("", "a")],
    "blank in a name": [*GET, ("x y", "a")],
    "colon in a name": [*GET, ("x:y", "a")],
    "line end in a name": [*GET, ("x\r\nhost: evil\r\ny", "a")],
    "LF in a name": [*GET, ("x\ny", "a")],
    "NUL in a name": [*GET, ("x\0y", "a")],
    "tab in a name": [*GET, ("x\ty", "a")],
    "whole field in a name": [*GET, ("transfer-encoding: chunked\r\nx", "a")],
    "DEL in a name": [*GET, ("x\x7f", "a")],
    "letter above ASCII in a name": [*GET, ("x\xe9", "a")],
    # 8.2.1: values
    "line end in a value": [*GET, ("x-a", "b\r\ntransfer-encoding: chunked")],
    "head's end in a value": [*GET, ("x-a", "b\r\n\r\nGET /victim HTTP/1.1\r\nhost: web")],
    "LF in a value": [*GET, ("x-a", "b\nc: d")],
    "CR in a value": [*GET, ("x-a", "b\rc: d")],
    "NUL in a value": [*GET, ("x-a", "b\0c")],
    "blank before a value": [*GET, ("x-a", " b")],
    "blank behind a value": [*GET, ("x-a", "b ")],
    "tab before a value": [*GET, ("x-a", "\tb")],
    "tab behind a value": [*GET, ("x-a", "b\t")],
    # 8.2.2: fields of a connection
    "connection": [*GET, ("connection", "close")],
    "connection that names a field": [*GET, ("connection", "x-a"), ("x-a", "b")],
    "keep-alive": [*GET, ("keep-alive", "timeout=5")],
    "proxy-connection": [*GET, ("proxy-connection", "keep-alive")],
    "upgrade": [*GET, ("upgrade", "h2c")],
    "chunked": [*POST, ("transfer-encoding", "chunked")],
    "chunked, with a length": [*POST, ("transfer-encoding", "chunked"), ("content-length", "5")],
    "identity": [*POST, ("transfer-encoding", "identity")],
    "te other than trailers": [*GET, ("te", "gzip")],
    "te with more than trailers": [*GET, ("te", "trailers, gzip")],
    # 8.3: pseudo-fields
    "pseudo-field behind a field": [*GET[:3], ("x-a", "b"), GET[3]],
    "pseudo-field twice": [*GET, (":path", "/victim")],
    "method twice": [*GET, (":method", "POST")],
    "authority twice": [*GET, (":authority", "evil")],
    "scheme twice": [*GET, (":scheme", "https")],
    "unknown pseudo-field": [*GET, (":evil", "a")],
    "status": [*GET, (":status", "200")],
    "pseudo-field without a name": [*GET, (":", "a")],
    "protocol without CONNECT": [*GET, (":protocol", "websocket")],
    # 8.3.1
    "no method": but(drop=[":method"]),
    "no scheme": but(drop=[":scheme"]),
    "no path": but(drop=[":path"]),
    "nothing at all": [],
    "only fields": [("x-a", "b")],
    "empty path": but(path=""),
    "path without a slash": but(path="victim"),
    "path that is a whole URL": but(path="http://evil/"),
    "blank in the path": but(path="/ HTTP/1.1"),
    "line end in the path": but(path="/ HTTP/1.1\r\nhost: evil\r\nx: y"),
    "request in the path": but(path="/ HTTP/1.1\r\nHost: web\r\n\r\nGET /victim"),
    "LF in the path": but(path="/\nx"),
    "NUL in the path": but(path="/\0"),
    "tab in the path": but(path="/\tx"),
    "fragment in the path": but(path="/#victim"),
    "star for GET": but(path="*"),
    "empty method": but(method=""),
    "blank in the method": but(method="GET /victim HTTP/1.1\r\n"),
    "request line for a method": but(method="GET / HTTP/1.1\r\nHost: web\r\n\r\nGET"),
    "colon in the method": but(method="GE:T"),
    "line end in the authority": but(authority="web\r\nx: y"),
    "blank in the authority": but(authority="web evil"),
    "slash in the authority": but(authority="web/evil"),
    "user in the authority": but(authority="user@web"),
    "empty authority": but(authority=""),
    "host that differs from the authority": [*GET, ("host", "evil")],
    "two hosts": [*but(drop=[":authority"]), ("host", "web"), ("host", "evil")],
    "line end in the scheme": but(scheme="http\r\nx: y"),
    "scheme that is none": but(scheme="ht tp"),
    # 8.5
    "CONNECT with a path": but(method="CONNECT"),
    # 8.1.1: lengths
    "length that is no number": [*POST, ("content-length", "x")],
    "signed length": [*POST, ("content-length", "+5")],
    "negative length": [*POST, ("content-length", "-5")],
    "empty length": [*POST, ("content-length", "")],
    "differing lengths": [*POST, ("content-length", "5"), ("content-length", "6")],
    "list of differing lengths": [*POST, ("content-length", "5, 6")],
    "length above 2^64": [*POST, ("content-length", "18446744073709551621")],
    "length with a line end": [*POST, ("content-length", "5\r\nx: y")],
}


class Literal:
    """A header block in which each field is as it is: no table, no Huffman code, nothing checked (RFC 7541 section 6.2.2)."""

    @staticmethod
    def string(text):
        data = text.encode("latin-1")
        assert len(data) < 127
        return bytes([len(data)]) + data

    @classmethod
    def block(cls, fields):
        return b"".join(b"\x00" + cls.string(name) + cls.string(value) for name, value in fields)


def here(fields, request):
    """Fields with a path of the test's own: what comes late from another test is told apart by it."""
    path = "/" + "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return but(fields, path=path), path.encode()


def refusal(raw, stream=1):
    """What came of a stream: a status, "reset", or "goaway" if the whole connection was ended."""
    frame = raw.wait(lambda one: one[2] == stream and (one[0] == RST_STREAM or one[0] == HEADERS and raw.status(stream) >= 200) or one[0] == GOAWAY)
    if frame is None or frame[0] == GOAWAY:
        return "goaway"
    return "reset" if frame[0] == RST_STREAM else raw.status(stream)


def goes_on(raw, weft, stream):
    """An honest request is answered, on the same connection if it is still there."""
    if not raw.of(GOAWAY) and not raw.closed:
        raw.headers(stream, raw.request())
        assert refusal(raw, stream) == 200
    else:
        with Http2Client(weft.address()) as client:
            assert client.get("web").body == b"ok"


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("split", [False, True], ids=["one frame", "with CONTINUATION"])
def test_malformed_head_is_not_forwarded(chain, name, split):
    mesh, weft = chain
    case = f"{list(HEADS).index(name)} {split}"
    # What comes late from another test is told apart by it. Nothing at all stays so.
    block = Literal.block(HEADS[name] and [*HEADS[name], ("x-case", case)])
    with RawHttp2(weft.address()) as raw:
        if split:
            half = len(block) // 2
            raw.frame(HEADERS, END_STREAM, 1, block[:half])
            raw.frame(CONTINUATION, END_HEADERS, 1, block[half:])
        else:
            raw.frame(HEADERS, END_HEADERS | END_STREAM, 1, block)
        assert refusal(raw) in ("reset", "goaway", 400, 421, 501)
        goes_on(raw, weft, 3)
    assert case.encode() not in mesh.origins[0].received


# name: (length said, pieces, what the origin may see as a whole request's body). A request whose length is full before the rest
# comes is one: what is too much of it must lead nowhere.
LENGTHS = {
    "longer than said": ("5", [b"12345" + VICTIM], b"12345"),
    "longer than said, in a second frame": ("5", [b"12345", VICTIM], b"12345"),
    "something where nothing was said": ("0", [VICTIM], b""),
    "shorter than said": ("50", [b"12345"], None),
    "nothing where something was said": ("5", [b""], None),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_body_of_another_length(chain, name, request):
    mesh, weft = chain
    origin, (length, pieces, whole) = mesh.origins[0], LENGTHS[name]
    fields, path = here(POST, request)
    with RawHttp2(weft.address()) as raw:
        raw.headers(1, [*fields, ("content-length", length)], end=False)
        for piece in pieces:
            raw.frame(DATA, END_STREAM if piece is pieces[-1] else 0, 1, piece)
        assert refusal(raw) in ("reset", "goaway", 400) + (() if whole is None else (200,))
        goes_on(raw, weft, 3)
    bodies = [one.body for one in origin.requests if one.target == path]
    assert bodies in ([], [] if whole is None else [whole])
    assert b"/victim" not in b"".join(bytes(one.target) for one in origin.requests)


def test_length_with_a_head_that_ends_the_stream(chain, request):
    mesh, weft = chain
    fields, path = here(POST, request)
    with RawHttp2(weft.address()) as raw:
        raw.headers(1, [*fields, ("content-length", "5")])
        assert refusal(raw) in ("reset", "goaway", 400)
        goes_on(raw, weft, 3)
    assert path not in mesh.origins[0].received


@pytest.mark.parametrize("trailers", [
    [(":path", "/victim")], [(":status", "200")], [("X-Upper", "a")], [("x-a", "b\r\nc: d")], [("x\r\ny", "z")],
], ids=lambda trailers: trailers[0][0].encode("unicode_escape").decode())
def test_malformed_trailers_end_no_request(chain, trailers, request):
    mesh, weft = chain
    fields, path = here(POST, request)
    with RawHttp2(weft.address()) as raw:
        raw.headers(1, fields, end=False)
        raw.frame(DATA, 0, 1, b"body")
        raw.frame(HEADERS, END_HEADERS | END_STREAM, 1, Literal.block(trailers))
        assert refusal(raw) in ("reset", "goaway", 400)
        goes_on(raw, weft, 3)
    assert not [one for one in mesh.origins[0].requests if one.target == path]


@pytest.mark.parametrize("name, value", [
    ("content-length", "50"), ("transfer-encoding", "gzip, chunked"), ("connection", "x-kept"), ("host", "evil"), ("authorization", "x"),
    ("content-type", "a/b"),
])
def test_trailers_that_would_change_a_head_are_left_out_or_refused(chain, name, value, request):
    """RFC 9110 section 6.5.1: framing, routing and credentials don't belong into trailers."""
    mesh, weft = chain
    fields, path = here(POST, request)
    with RawHttp2(weft.address()) as raw:
        raw.headers(1, fields, end=False)
        raw.frame(DATA, 0, 1, b"body")
        raw.headers(1, [("x-kept", "yes"), (name, value)])
        assert refusal(raw) in ("reset", "goaway", 400, 200)
        goes_on(raw, weft, 3)
    for one in (one for one in mesh.origins[0].requests if one.target == path):
        assert name.encode() not in [bytes(key).lower() for key, _ in one.trailers]
        assert value not in one.all(name)


# ---- what must go through, and how ----

def test_what_looks_like_a_request_in_a_body_is_a_body(chain):
    mesh, weft = chain
    with Http2Client(weft.address()) as client:
        assert client.request("web", "POST", body=VICTIM, headers=[("content-length", str(len(VICTIM)))]).status == 200
    assert (mesh.origins[0].last.method, mesh.origins[0].last.body) == (b"POST", VICTIM)


def test_body_without_a_length_is_chunked(chain):
    mesh, weft = chain
    with Http2Client(weft.address()) as client:
        assert client.request("web", "POST", body=b"0\r\n\r\n" + VICTIM).status == 200
    last = mesh.origins[0].last
    assert last.all("transfer-encoding") == ["chunked"] and not last.all("content-length")
    assert last.body == b"0\r\n\r\n" + VICTIM


def test_cookie_crumbs_are_one_field(chain):
    """Section 8.2.3."""
    mesh, weft = chain
    with Http2Client(weft.address()) as client:
        assert client.get("web", headers=[("cookie", "a=b"), ("x-a", "c"), ("cookie", "d=e")]).status == 200
    assert mesh.origins[0].last.all("cookie") == ["a=b; d=e"]


def test_authority_is_the_host(chain):
    mesh, weft = chain
    with RawHttp2(weft.address()) as raw:
        for stream, fields in ((1, GET), (3, [*GET, ("host", "web")]), (5, [*but(drop=[":authority"]), ("host", "web")])):
            raw.headers(stream, fields)
            assert refusal(raw, stream) == 200
            assert mesh.origins[0].last.header("host") == "web"


def test_te_trailers_is_no_reason_to_refuse(chain):
    _, weft = chain
    with Http2Client(weft.address()) as client:
        assert client.get("web", headers=[("te", "trailers")]).status == 200


def test_reset_request_is_no_whole_request(chain, request):
    """A caller that takes its request back in the middle of the body: the origin sees its connection end, not the body."""
    mesh, weft = chain
    origin = mesh.origins[0]
    fields, path = here(POST, request)
    with RawHttp2(weft.address()) as raw:
        raw.headers(1, [*fields, ("content-length", "100")], end=False)
        raw.frame(DATA, 0, 1, b"begun")
        wait_until(lambda: any(peer.received.endswith(b"begun") for peer in origin.peers), "the body's beginning at the origin")
        raw.frame(RST_STREAM, 0, 1, struct.pack(">I", 8))
        goes_on(raw, weft, 3)
    assert not [one for one in origin.requests if one.target == path]
