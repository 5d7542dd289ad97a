# SPDX-License-Identifier: Apache-2.0
"""Messages that two parsers could understand differently: refused, the connection closed, nothing of them forwarded."""

import socket

import pytest

from client import CutShort
from mesh import Mesh, wait_until

VICTIM = b"GET /victim HTTP/1.1\r\nHost: web\r\n\r\n"


@pytest.fixture(name="chain", scope="module")
def make_chain(tmp_path_factory):
    """An origin that says 200 to anything, weft, and a good request before all: the connection to the origin is there."""
    mesh = Mesh(tmp_path_factory.mktemp("smuggling"))
    try:
        mesh.service("web", mesh.origin())
        weft = mesh.weft()
        assert mesh.client(weft).get("web").status == 200
        yield mesh, weft
        mesh.close()
    finally:
        mesh.stop()


def post(*fields, body=b"", line=b"POST / HTTP/1.1"):
    return b"\r\n".join([line, b"Host: web", *fields]) + b"\r\n\r\n" + body


def get(*fields, line=b"GET / HTTP/1.1", host=(b"Host: web",)):
    return b"\r\n".join([line, *host, *fields]) + b"\r\n\r\n"


CHUNKED = b"Transfer-Encoding: chunked"

# name: (status, bytes)
REQUESTS = {
    # both framings; lengths
    "both lengths": (400, post(b"Content-Length: 4", CHUNKED, body=b"0\r\n\r\n")),
    "both lengths, the other way round": (400, post(CHUNKED, b"Content-Length: 4", body=b"0\r\n\r\n")),
    "repeated length": (400, post(b"Content-Length: 4", b"Content-Length: 4", body=b"abcd")),
    "differing lengths": (400, post(b"Content-Length: 4", b"Content-Length: 5", body=b"abcde")),
    "list of equal lengths": (400, post(b"Content-Length: 4, 4", body=b"abcd")),
    "list of differing lengths": (400, post(b"Content-Length: 4, 5", body=b"abcd")),
    "signed length": (400, post(b"Content-Length: +4", body=b"abcd")),
    "negative length": (400, post(b"Content-Length: -4", body=b"abcd")),
    "hexadecimal length": (400, post(b"Content-Length: 0x4", body=b"abcd")),
    "length with a fraction": (400, post(b"Content-Length: 4.0", body=b"abcd")),
    "length with a blank inside": (400, post(b"Content-Length: 4 4", body=b"abcd")),
    "empty length": (400, post(b"Content-Length:", body=b"abcd")),
    "length above 2^63": (400, post(b"Content-Length: 9223372036854775808", body=b"abcd")),
    "length above 2^64": (400, post(b"Content-Length: 18446744073709551620", body=b"abcd")),
    "quoted length": (400, post(b'Content-Length: "4"', body=b"abcd")),
    "length in another alphabet": (400, post("Content-Length: \N{FULLWIDTH DIGIT FOUR}".encode(), body=b"abcd")),
    # transfer codings
    "coding other than chunked": (501, post(b"Transfer-Encoding: gzip", body=b"x")),
    "coding before chunked": (501, post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
    "coding behind chunked": (501, post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n")),
    "identity": (501, post(b"Transfer-Encoding: identity", body=b"x")),
    "xchunked": (501, post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n")),
    "chunked twice in a list": (400, post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n")),
    "chunked in two fields": (400, post(CHUNKED, CHUNKED, body=b"0\r\n\r\n")),
    "chunked and gzip in two fields": ({400, 501}, post(CHUNKED, b"Transfer-Encoding: gzip", body=b"0\r\n\r\n")),
    "empty coding": (400, post(b"Transfer-Encoding:", body=b"0\r\n\r\n")),
    "quoted coding": (400, post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n")),
    "coding with a vertical tab": (400, post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n")),
    "coding with a parameter": ({400, 501}, post(b"Transfer-Encoding: chunked;x=y", body=b"0\r\n\r\n")),
    "coding in HTTP/1.0": (400, post(CHUNKED, body=b"0\r\n\r\n", line=b"POST / HTTP/1.0")),
    # field lines
    "blank before the colon": (400, post(b"Content-Length : 4", body=b"abcd")),
    "tab before the colon": (400, post(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n")),
    "folded line": (400, get(b"X-A: b\r\n c")),
    "folded line with a tab": (400, get(b"X-A: b\r\n\tc")),
    "folded coding": (400, post(b"Transfer-Encoding:\r\n chunked", body=b"0\r\n\r\n")),
    "blank before the first field": (400, b"GET / HTTP/1.1\r\n Host: web\r\n\r\n"),
    "no colon": (400, get(b"X-A")),
    "no name": (400, get(b": x")),
    "NUL in a value": (400, get(b"X-A: a\0b")),
    "NUL in a name": (400, get(b"X-\0A: b")),
    "bare CR in a value": (400, get(b"X-A: a\rTransfer-Encoding: chunked")),
    "bare LF between fields": (400, get(b"X-A: b\nX-B: c")),
    "bare LF at the end of the head": (400, b"GET / HTTP/1.1\r\nHost: web\r\n\n"),
    "bare CR at the end of the head": (400, b"GET / HTTP/1.1\r\nHost: web\r\n\rGET /x HTTP/1.1\r\n"),
    "bare LF in the first line": (400, b"GET / HTTP/1.1\nHost: web\r\n\r\n"),
    "bare CR in the first line": (400, b"GET / HTTP/1.1\rHost: web\r\n\r\n"),
    "control character in a value": (400, get(b"X-A: \x01")),
    "DEL in a value": (400, get(b"X-A: \x7f")),
    "bracket in a name": (400, get(b"X[A]: b")),
    "byte above 127 in a name": (400, get(b"X-\xe4: b")),
    # the first line
    "bad method": (400, get(line=b"GE(T / HTTP/1.1")),
    "no method": (400, get(line=b" / HTTP/1.1")),
    "two blanks behind the method": (400, get(line=b"GET  / HTTP/1.1")),
    "tab behind the method": (400, get(line=b"GET\t/ HTTP/1.1")),
    "blank in the target": (400, get(line=b"GET /a b HTTP/1.1")),
    "fragment in the target": (400, get(line=b"GET /a#b HTTP/1.1")),
    "relative target": (400, get(line=b"GET a HTTP/1.1")),
    "asterisk for GET": (400, get(line=b"GET * HTTP/1.1")),
    "user in the target": (400, get(line=b"GET http://user@web/ HTTP/1.1")),
    "no host in the target": (400, get(line=b"GET http:///x HTTP/1.1")),
    "byte above 127 in the target": (400, get(line=b"GET /\xc3\xa4 HTTP/1.1")),
    "no version": (400, get(line=b"GET /")),
    "version in lower case": (400, get(line=b"GET / http/1.1")),
    "version without a dot": (400, get(line=b"GET / HTTP/11")),
    "version with two digits": (400, get(line=b"GET / HTTP/1.10")),
    "HTTP/2.0": (505, get(line=b"GET / HTTP/2.0")),
    "HTTP/0.9": (505, get(line=b"GET / HTTP/0.9")),
    "blank behind the version": (400, get(line=b"GET / HTTP/1.1 ")),
    "almost HTTP/2's preface": ({400, 505}, b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    # Host
    "no Host": (400, get(host=())),
    "repeated Host": (400, get(host=(b"Host: web", b"Host: web"))),
    "differing Host": (400, get(host=(b"Host: web", b"Host: other"))),
    "Host with a blank": (400, get(host=(b"Host: web other",))),
    "Host with a comma and a path": (400, get(host=(b"Host: web/x",))),
    "Host with a user": (400, get(host=(b"Host: a@web",))),
    "Host with a bad port": (400, get(host=(b"Host: web:http",))),
    "repeated Host beside an absolute target": (400, get(line=b"GET http://web/ HTTP/1.1", host=(b"Host: web", b"Host: web"))),
    # sizes
    "long target": (414, get(line=b"GET /" + b"a" * 5000 + b" HTTP/1.1")),
    "endless target": (414, b"GET /" + b"a" * 5000),
    "long method": ({400, 414}, get(line=b"A" * 5000 + b" / HTTP/1.1")),
    "long field": (431, get(b"X-A: " + b"b" * 9000)),
    "endless field": (431, b"GET / HTTP/1.1\r\nHost: web\r\nX-A: " + b"b" * 9000),
    "long name": (431, b"GET / HTTP/1.1\r\nHost: web\r\n" + b"b" * 9000),
    "many fields": (431, get(*(b"X-%d: 1" % i for i in range(600)))),
    "many empty lines": (400, b"\r\n" * 200 + get()),
}

# Bodies whose head is fine: the request is on its way when the bytes turn bad, so what counts is how it ends.
BODIES = {
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "bad digit": b"3g\r\nabc\r\n0\r\n\r\n",
    "signed size": b"+3\r\nabc\r\n0\r\n\r\n",
    "negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "blank before the size": b" 3\r\nabc\r\n0\r\n\r\n",
    "size above 2^64": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "size of many zeros": b"0" * 5000 + b"3\r\nabc\r\n0\r\n\r\n",
    "bare LF behind the size": b"3\nabc\r\n0\r\n\r\n",
    "bare CR behind the size": b"3\rabc\r\n0\r\n\r\n",
    "bare LF behind the bytes": b"3\r\nabc\n0\r\n\r\n",
    "too many bytes": b"3\r\nabcd\r\n0\r\n\r\n",
    "bare LF in an extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "NUL in an extension": b"3;\0\r\nabc\r\n0\r\n\r\n",
    "long extension": b"3;" + b"a" * 20000 + b"\r\nabc\r\n0\r\n\r\n",
    "bare LF behind the last chunk": b"3\r\nabc\r\n0\n\n",
    "bad trailer": b"3\r\nabc\r\n0\r\nX-A\r\n\r\n",
    "blank before a trailer's colon": b"3\r\nabc\r\n0\r\nX-A : b\r\n\r\n",
    "folded trailer": b"3\r\nabc\r\n0\r\nX-A: b\r\n c\r\n\r\n",
    "NUL in a trailer": b"3\r\nabc\r\n0\r\nX-A: \0\r\n\r\n",
    "long trailers": b"3\r\nabc\r\n0\r\nX-A: " + b"b" * 20000 + b"\r\n\r\n",
}


def send_all(client, data):
    """Whether weft has refused earlier is for the answer to show."""
    try:
        client.send(data)
    except ConnectionError:
        pass


@pytest.mark.parametrize("name", REQUESTS)
def test_ambiguous_request(chain, name):
    mesh, weft = chain
    origin = mesh.origins[0]
    status, message = REQUESTS[name]
    before = len(origin.received), len(origin.peers)
    with mesh.client(weft) as client:
        send_all(client, message + VICTIM)
        response = client.response()
        assert response.status in (status if isinstance(status, set) else {status})
        assert response.header("connection") == "close"
        assert client.at_end()
    with mesh.client(weft) as client:
        assert client.get("web", target="/fence").status == 200
    assert len(origin.peers) == before[1]
    assert origin.received[before[0]:].startswith(b"GET /fence ")
    assert weft.metric("protocol_errors") >= 1


@pytest.mark.parametrize("name", [name for name in REQUESTS if not REQUESTS[name][1].startswith(b"\r\n")])
def test_ambiguous_request_behind_a_good_one(chain, name):
    """Pipelined: the good one is answered, then the bad one is refused."""
    mesh, weft = chain
    origin = mesh.origins[0]
    before = len(origin.requests)
    with mesh.client(weft) as client:
        send_all(client, get(line=b"GET /good HTTP/1.1") + REQUESTS[name][1] + VICTIM)
        assert client.response().status == 200
        response = client.response()
        assert response.status >= 400
        assert client.at_end()
    assert [message.target for message in origin.requests[before:]] == [b"/good"]


@pytest.mark.parametrize("name", BODIES)
def test_ambiguous_body(mesh, name):
    """The origin sees a request that doesn't end, or none; the caller an error or the end; nobody a second request."""
    ends = []

    def connected(peer):
        try:
            ends.append(peer.read())
        except CutShort:
            ends.append(None)

    origin = mesh.origin(connected=connected)
    mesh.service("web", origin)
    weft = mesh.weft()
    client = mesh.client(weft)
    send_all(client, post(CHUNKED, body=BODIES[name] + VICTIM))
    try:
        response = client.response()
        assert response.status in (400, 431)
        assert response.header("connection") == "close"
    except CutShort:
        pytest.fail("no answer although none had begun")
    assert client.at_end()
    wait_until(lambda: all(peer.ended.is_set() for peer in origin.peers), "the connection to the origin to end")
    assert b"victim" not in origin.received
    assert all(end is None for end in ends)
    assert weft.metric("protocol_errors") == 1


# name: bytes; each is followed by a whole good response, which must not be taken for the next one's
RESPONSES = {
    "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "repeated length": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "differing lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 2\r\n\r\nabcd",
    "list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nabcd",
    "signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nabcd",
    "length above 2^64": b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551620\r\n\r\nabcd",
    "coding other than chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabcd",
    "coding behind chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "blank before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nabcd",
    "folded line": b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 4\r\n\r\nabcd",
    "bare LF between fields": b"HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 4\r\n\r\nabcd",
    "bare LF throughout": b"HTTP/1.1 200 OK\nContent-Length: 4\n\nabcd",
    "bare CR in a value": b"HTTP/1.1 200 OK\r\nX-A: b\rContent-Length: 4\r\n\r\nabcd",
    "NUL in a value": b"HTTP/1.1 200 OK\r\nX-A: \0\r\nContent-Length: 4\r\n\r\nabcd",
    "no colon": b"HTTP/1.1 200 OK\r\nX-A\r\nContent-Length: 4\r\n\r\nabcd",
    "bad status": b"HTTP/1.1 2x0 OK\r\nContent-Length: 4\r\n\r\nabcd",
    "short status": b"HTTP/1.1 20 OK\r\nContent-Length: 4\r\n\r\nabcd",
    "bad version": b"HTTP/3.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/0.9": b"hello",
    "101 that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "long reason": b"HTTP/1.1 200 " + b"a" * 5000 + b"\r\nContent-Length: 4\r\n\r\nabcd",
    "long field": b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 9000 + b"\r\nContent-Length: 4\r\n\r\nabcd",
    "many fields": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 600 + b"Content-Length: 4\r\n\r\nabcd",
}
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


@pytest.mark.parametrize("name", RESPONSES)
def test_ambiguous_response(mesh, name):
    """502, nothing of it forwarded, the connection to the origin closed, and the next answer comes from a new one."""
    ends = []

    def connected(peer):
        peer.read()
        if len(origin.peers) > 1:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
            return
        peer.send(RESPONSES[name] + POISON)
        peer.socket.shutdown(socket.SHUT_WR)
        while peer.receive():
            pass
        ends.append(True)

    origin = mesh.origin(connected=connected)
    mesh.service("web", origin)
    weft = mesh.weft()
    client = mesh.client(weft)
    response = client.get("web")
    assert response.status == 502
    assert b"poison" not in response.body and b"abcd" not in response.body
    assert response.header("x-a") is None
    wait_until(lambda: ends, "the connection to the origin to be closed")
    assert client.get("web").body == b"good"
    assert weft.metric("failures/com.twitter.finagle.CodecException") == 1


CHUNKED_ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("name", BODIES)
def test_ambiguous_response_body(mesh, name):
    """The head may be on its way: then the caller must see a message that is cut short, and nothing of the next one."""
    ends = []

    def connected(peer):
        peer.read()
        if len(origin.peers) > 1:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
            return
        peer.send(CHUNKED_ANSWER + BODIES[name] + POISON)
        while peer.receive():
            pass
        ends.append(True)

    origin = mesh.origin(connected=connected)
    mesh.service("web", origin)
    weft = mesh.weft()
    client = mesh.client(weft)
    client.send(get())
    try:
        response = client.response()
        assert response.status == 502 and b"poison" not in response.body
    except CutShort:
        pass
    assert b"poison" not in client.rest()
    wait_until(lambda: ends, "the connection to the origin to be closed")
    with mesh.client(weft) as other:
        assert other.get("web").body == b"good"


def test_bytes_that_answer_nothing_close_the_idle_connection(mesh):
    """An origin that sends a second response ahead of the second request would answer the wrong caller."""
    first = []

    def connected(peer):
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
        if not first:
            first.append(peer)
            peer.send(POISON)
        while peer.receive():
            pass

    origin = mesh.origin(connected=connected)
    mesh.service("web", origin)
    weft = mesh.weft()
    client = mesh.client(weft)
    assert client.get("web").body == b"good"
    wait_until(lambda: first and first[0].ended.is_set(), "the poisoned connection to be closed")
    assert client.get("web").body == b"good"


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison",
    b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n",
])
def test_body_where_none_may_be(mesh, answer):
    def connected(peer):
        peer.read()
        peer.send(answer if len(origin.peers) == 1 else b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
        while peer.receive():
            pass

    origin = mesh.origin(connected=connected)
    mesh.service("web", origin)
    weft = mesh.weft()
    client = mesh.client(weft)
    response = client.get("web")
    assert response.status in (204, 304, 502)
    wait_until(lambda: origin.peers[0].ended.is_set(), "the connection to the origin to be closed")
    assert client.get("web").body == b"good"


def test_body_of_an_answer_to_head(mesh):
    def connected(peer):
        while True:
            message = peer.read()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + (b"good" if message.method == b"GET" else b"HTTP"))

    origin = mesh.origin(connected=connected)
    mesh.service("web", origin)
    client = mesh.client(mesh.weft())
    assert client.request("HEAD", "web").status == 200
    response = client.get("web")
    assert (response.status, response.body) == (200, b"good")
