# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 to the letter (RFC 9110, RFC 9112): one weft between callers and origins that we can make do anything."""

import hashlib
import http.client
import subprocess
import threading
import urllib.request

import httpx
import pytest

from client import CutShort, request_bytes
from mesh import PATIENCE, wait_until

PROXY_OWN = ("via", "l5d-ctx-trace", "l5d-reqid", "l5d-dst-service", "l5d-dst-client", "l5d-dst-residual", "l5d-success-class")


def url(weft, path="/"):
    ip, port = weft.address()
    return f"http://{ip}:{port}{path}"


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--max-time", str(int(PATIENCE)), *arguments], stdout=subprocess.PIPE, timeout=2 * PATIENCE, check=True)
    return done.stdout


def pattern(length, seed=0):
    """Bytes that don't repeat at any power of two."""
    block = hashlib.sha512(b"%d" % seed).digest() * 131
    return (block * (length // len(block) + 1))[:length]


def pair(mesh, handler=None, router=None, threads=1, **options):
    """An origin behind the name `web`, weft, and a connection to it."""
    origin = mesh.origin(handler, **options)
    mesh.service("web", origin)
    weft = mesh.weft(threads=threads, **(router or {}))
    return origin, weft, mesh.client(weft)


def foreign(headers):
    """What the other side wrote, without what the proxy adds."""
    return [(name, value) for name, value in headers if name.decode().lower() not in PROXY_OWN]


# ---- connections ----

def test_keep_alive(mesh):
    origin, weft, client = pair(mesh)
    for _ in range(20):
        assert client.get("web").text == str(origin.port)
    assert len(origin.peers) == 1
    assert weft.metric("server/127.0.0.1/%d/connects" % weft.address()[1]) == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_pipelined_answers_keep_their_order(mesh, threads):
    """500 requests written at once; the earlier ones are the slower ones."""
    release = threading.Event()

    def handler(call):
        if call.message.target == b"/0":
            assert release.wait(PATIENCE)
        call.answer(body=call.message.target)

    origin, _, client = pair(mesh, handler, threads=threads)
    sender = threading.Thread(target=client.send, args=(b"".join(request_bytes(target=f"/{i}", host="web") for i in range(500)),))
    sender.start()
    wait_until(lambda: origin.requests, "the first request")
    release.set()
    assert [client.response().text for _ in range(500)] == [f"/{i}" for i in range(500)]
    sender.join()


def test_pipelined_with_bodies_and_without(mesh):
    _, _, client = pair(mesh, lambda call: call.answer(body=call.message.method + b" " + call.message.body))
    wanted = []
    for i in range(50):
        body = pattern(i * 37, i)
        client.send_request("GET", host="web")
        client.send_request("POST", host="web", body=body)
        client.send_request("PUT", host="web", chunks=[b"a", body or b"x", b"bc"])
        wanted += [b"GET ", b"POST " + body, b"PUT a" + (body or b"x") + b"bc"]
    assert [client.response().body for _ in wanted] == wanted


def test_last_of_pipelined_asks_to_close(mesh):
    origin, _, client = pair(mesh)
    client.send(request_bytes(host="web") + request_bytes(host="web", headers={"Connection": "close"}) + request_bytes(target="/late", host="web"))
    assert client.response().header("connection") is None
    assert client.response().header("connection") == "close"
    assert client.at_end()
    assert len(origin.requests) == 2


def test_half_closed_client_gets_its_answers(mesh):
    release = threading.Event()

    def handler(call):
        assert release.wait(PATIENCE)
        call.answer(body=call.message.target)

    origin, _, client = pair(mesh, handler)
    client.send(request_bytes(target="/1", host="web") + request_bytes("POST", "/2", host="web", body=b"x" * 100))
    client.half_close()
    wait_until(lambda: origin.requests, "the request")
    release.set()
    assert client.response().text == "/1"
    assert client.response().text == "/2"
    assert client.at_end()


def test_request_byte_by_byte(mesh):
    origin, _, client = pair(mesh, lambda call: call.answer(body=call.message.body))
    for byte in request_bytes("POST", "/slow", host="web", chunks=[b"hello", b"world"], trailers=[("X-Sum", "1")]):
        client.send(bytes([byte]))
    assert client.response().body == b"helloworld"
    assert origin.last.trailers == [(b"X-Sum", b"1")]


def test_response_byte_by_byte(mesh):
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n5;ext=1\r\nhello\r\n5\r\nworld\r\n0\r\nX-Sum: 2\r\n\r\n"

    def handler(call):
        for byte in answer:
            call.send(bytes([byte]))

    _, _, client = pair(mesh, handler)
    for _ in range(3):
        response = client.get("web")
        assert response.body == b"helloworld"
        assert response.header("x-a") == "b"
        assert response.trailers == [(b"X-Sum", b"2")]


@pytest.mark.parametrize("version, headers, persists", [
    ("1.0", [], False),
    ("1.0", [("Connection", "keep-alive")], True),
    ("1.0", [("Connection", "Keep-Alive, close")], False),
    ("1.1", [], True),
    ("1.1", [("Connection", "CLOSE")], False),
    ("1.1", [("Connection", "x-other,close")], False),
])
def test_persistence(mesh, version, headers, persists):
    _, _, client = pair(mesh)
    response = client.get("web", version=version, headers=headers)
    assert response.status == 200
    if version == "1.0":
        assert response.header("connection") == ("keep-alive" if persists else "close")
    if persists:
        assert client.get("web").status == 200
    else:
        assert client.at_end()


def test_empty_lines_before_a_request(mesh):
    _, _, client = pair(mesh)
    client.send(b"\r\n\r\n" + request_bytes(host="web") + b"\r\n" + request_bytes(host="web"))
    assert [client.response().status, client.response().status] == [200, 200]


# ---- bodies ----

@pytest.mark.parametrize("length", [0, 1, 8191, 16384, 16385, 1 << 20])
def test_bodies_both_ways(mesh, length):
    origin, _, client = pair(mesh, lambda call: call.answer(body=call.message.body[::-1]))
    body = pattern(length)
    sender = threading.Thread(target=client.send, args=(request_bytes("POST", host="web", body=body),))
    sender.start()
    assert client.response("POST").body == body[::-1]
    sender.join()
    assert origin.last.body == body


@pytest.mark.parametrize("sizes", [[1] * 300, [5, 0x1FFF, 1], [16384, 16384], [70000]], ids=["tiny", "mixed", "buffers", "large"])
def test_chunked_both_ways_with_trailers(mesh, sizes):
    chunks = [pattern(size, i) for i, size in enumerate(sizes)]

    def handler(call):
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        for chunk in chunks:
            call.send(b"%X\r\n%s\r\n" % (len(chunk), chunk))
        call.send(b"0\r\nX-Sum: up\r\nX-More: yes\r\n\r\n")

    origin, _, client = pair(mesh, handler)
    for _ in range(2):
        client.send_request("POST", host="web", chunks=chunks, trailers=[("X-Down", "1"), ("X-down", "2")])
        response = client.response("POST")
        assert response.body == b"".join(chunks)
        assert response.trailers == [(b"X-Sum", b"up"), (b"X-More", b"yes")]
        assert origin.last.body == b"".join(chunks)
        assert origin.last.trailers == [(b"X-Down", b"1"), (b"X-down", b"2")]
        assert origin.last.header("transfer-encoding") == "chunked"
    assert len(origin.peers) == 1


def test_trailers_may_not_become_headers(mesh):
    """RFC 9110 section 6.5.1: what frames, routes or authorises is no trailer."""
    forbidden = [("Content-Length", "3"), ("Host", "other"), ("Transfer-Encoding", "chunked"), ("l5d-dtab", "/a => /b"), ("Authorization", "x")]
    origin, _, client = pair(mesh)
    client.send_request("POST", host="web", chunks=[b"x"], trailers=[*forbidden, ("X-Fine", "1")])
    assert client.response("POST").status == 200
    assert origin.last.trailers == [(b"X-Fine", b"1")]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_until_close_response(mesh, version):
    body = pattern(300000)

    def handler(call):
        call.send(b"HTTP/1.%s 200 OK\r\n\r\n" % version[-1].encode() + body)
        call.close()

    origin, _, client = pair(mesh, handler)
    for i in range(3):
        response = client.get("web")
        assert response.body == body
        if response.header("transfer-encoding") is None:
            client = mesh.client(mesh.wefts[0])
    assert len(origin.peers) == 3


def test_http10_client_of_chunked_origin(mesh):
    _, _, client = pair(mesh, raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    client.send_request(host="web", version="1.0", headers={"Connection": "keep-alive"})
    answer = client.rest()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body == b"hello"


def test_http10_origin_without_keep_alive(mesh):
    origin, _, client = pair(mesh, raw=b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
    for _ in range(3):
        response = client.get("web")
        assert (response.body, response.header("connection")) == (b"ok", None)
    assert len(origin.peers) == 3


def test_http10_origin_with_keep_alive(mesh):
    origin, _, client = pair(mesh, raw=b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
    for _ in range(3):
        assert client.get("web").body == b"ok"
    assert len(origin.peers) == 1


@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("end", ["close", "reset"])
def test_response_cut_short_is_seen_as_cut_short(mesh, framing, end):
    def handler(call):
        call.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + (b"5\r\nhello\r\n" if b"chunked" in framing else b"hello"))
        wait_until(lambda: got.is_set(), "the client to have the beginning")
        getattr(call, end)()

    got = threading.Event()
    _, weft, client = pair(mesh, handler)
    client.send_request(host="web")
    seen = b""
    while b"hello" not in seen:
        seen += client.receive()
    client.left = seen
    got.set()
    with pytest.raises(CutShort):
        client.response()
    wait_until(lambda: weft.metric("failures/com.twitter.finagle.ChannelClosedException") == 1, "the failure to be counted")


def test_request_cut_short_is_seen_as_cut_short(mesh):
    ends = []

    def connected(peer):
        try:
            peer.read()
        except CutShort:
            ends.append("cut")

    origin, _, client = pair(mesh, connected=connected)
    client.send(request_bytes("POST", host="web", headers={"Content-Length": "1000"}) + b"hello")
    wait_until(lambda: b"hello" in origin.received, "the beginning")
    client.close()
    wait_until(lambda: ends == ["cut"], "the end")


# ---- statuses without a body, HEAD, informational ones ----

@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_body(mesh, status):
    origin, _, client = pair(mesh, raw=b"HTTP/1.1 %d Nothing\r\nETag: \"x\"\r\n\r\n" % status)
    for _ in range(3):
        response = client.get("web")
        assert (response.status, response.body, response.header("etag")) == (status, b"", '"x"')
        assert response.header("transfer-encoding") is None
    assert len(origin.peers) == 1


def test_304_keeps_the_length_it_speaks_of(mesh):
    origin, _, client = pair(mesh, raw=b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n")
    for _ in range(3):
        response = client.get("web")
        assert (response.status, response.header("content-length"), response.body) == (304, "1234", b"")
    assert len(origin.peers) == 1


@pytest.mark.parametrize("framing", [b"Content-Length: 1234", b"Transfer-Encoding: chunked", b"X-None: 1"])
def test_head(mesh, framing):
    origin, _, client = pair(mesh, raw=b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
    for _ in range(3):
        response = client.request("HEAD", "web")
        assert (response.status, response.body) == (200, b"")
        if framing.startswith(b"Content-Length"):
            assert response.header("content-length") == "1234"
    assert len(origin.peers) == 1
    assert origin.last.method == b"HEAD"


def test_informational_responses_go_through(mesh):
    def handler(call):
        call.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        call.answer(body=b"final")

    _, _, client = pair(mesh, handler)
    for _ in range(2):
        response = client.get("web")
        assert [event.status_code for event in response.interim] == [103, 102]
        assert (b"link", b"</style.css>") in list(response.interim[0].headers)
        assert response.body == b"final"


def test_informational_responses_are_kept_from_http10_clients(mesh):
    _, _, client = pair(mesh, raw=b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    client.send_request(host="web", version="1.0")
    assert client.rest().startswith(b"HTTP/1.1 200 ")


# ---- Expect: 100-continue, early responses ----

def test_expect_continue(mesh):
    """The origin's 100 is what lets the body come; it is asked before it gets a byte of it."""
    def connected(peer):
        head = peer.read_head()
        assert b"xpect: 100-continue" in head and not peer.left
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = peer.left
        while len(body) < 5:
            body += peer.receive()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)
        peer.receive()

    _, _, client = pair(mesh, connected=connected)
    client.send(request_bytes("POST", host="web", headers={"Expect": "100-continue", "Content-Length": "5"}))
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += client.receive()
    assert seen.startswith(b"HTTP/1.1 100 ")
    client.send(b"hello")
    assert client.response("POST").body == b"hello"


def test_expect_continue_refused(mesh):
    origin, _, client = pair(mesh, connected=lambda peer: (peer.read_head(), peer.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"), peer.receive()))
    client.send(request_bytes("POST", host="web", headers={"Expect": "100-continue", "Content-Length": "5"}))
    response = client.response("POST")
    assert response.status == 417
    assert response.interim == []
    assert response.header("connection") == "close"  # nobody can tell whether the body comes
    assert client.at_end()
    assert origin.received.endswith(b"\r\n\r\n")


def test_expect_continue_when_the_origin_says_nothing(mesh):
    """RFC 9110 section 10.1.1: who expects must not wait for ever, nor must a proxy on its behalf."""
    _, _, client = pair(mesh, lambda call: call.answer(body=call.message.body))
    client.send(request_bytes("POST", host="web", body=b"hello", headers={"Expect": "100-continue"}))
    assert client.response("POST").body == b"hello"


def test_expect_continue_with_curl(mesh, tmp_path):
    body = pattern(3 << 20)
    (tmp_path / "body").write_bytes(body)
    origin, weft, _ = pair(mesh, lambda call: call.answer(body=hashlib.sha256(call.message.body).hexdigest().encode()))
    answer = curl("-H", "Host: web", "-H", "Expect: 100-continue", "--data-binary", f"@{tmp_path}/body", url(weft))
    assert answer.decode() == hashlib.sha256(body).hexdigest()
    assert origin.last.header("expect") == "100-continue"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_response_before_the_requests_end(mesh, framing):
    """The answer comes, the connection to the caller ends or goes on, and never is the rest of a body taken for a request."""
    def connected(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        while peer.receive():
            pass

    origin, _, client = pair(mesh, connected=connected)
    smuggled = request_bytes("GET", "/smuggled", host="web")
    if framing == "length":
        client.send(request_bytes("POST", "/early", host="web", headers={"Content-Length": str(1 << 30)}))
    else:
        client.send(request_bytes("POST", "/early", host="web", headers={"Transfer-Encoding": "chunked"}))
    response = client.response("POST")
    assert (response.status, response.body) == (403, b"no")
    try:
        client.send(smuggled if framing == "length" else b"%x\r\n%s\r\n" % (len(smuggled), smuggled))
        client.send(smuggled if framing == "length" else b"%x\r\n" % (1 << 30))
        for _ in range(200):
            client.send(b"x" * 65536)
    except ConnectionError:
        pass
    assert client.rest() == b""
    wait_until(lambda: all(peer.ended.is_set() for peer in origin.peers), "the connection to the origin to end")
    assert not any(bytes(peer.received).startswith(b"GET /smuggled") for peer in origin.peers)


def test_early_response_to_a_short_request_keeps_the_connection(mesh):
    def connected(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        while peer.receive():
            pass

    _, _, client = pair(mesh, connected=connected)
    for _ in range(3):
        client.send(request_bytes("POST", "/early", host="web", headers={"Content-Length": "1000"}))
        assert client.response("POST").status == 403
        client.send(b"x" * 1000)


# ---- forms of the request target ----

@pytest.mark.parametrize("line, target", [
    ("GET http://web/a?b=c HTTP/1.1", b"/a?b=c"),
    ("GET http://web HTTP/1.1", b"/"),
    ("GET http://web?x=1 HTTP/1.1", b"/?x=1"),
    ("GET HTTP://web/ HTTP/1.1", b"/"),
    ("OPTIONS * HTTP/1.1", b"*"),
    ("OPTIONS http://web HTTP/1.1", b"*"),
    ("OPTIONS http://web/ HTTP/1.1", b"/"),
    ("GET /%7e/..//x;y=z?q#".rstrip("#") + " HTTP/1.1", b"/%7e/..//x;y=z?q"),
])
def test_request_targets(mesh, line, target):
    """In absolute form the authority of the target counts, whatever Host says (RFC 9112 section 3.2.2)."""
    host = "elsewhere" if "://" in line else "web"
    origin, _, client = pair(mesh)
    client.send(f"{line}\r\nHost: {host}\r\nProxy-Connection: keep-alive\r\n\r\n".encode())
    assert client.response(line.split()[0]).status == 200
    assert origin.last.target == target
    assert origin.last.header("host") == "web"
    assert origin.last.header("proxy-connection") is None


def test_urllib_as_a_forward_proxy_client(mesh):
    origin, weft, _ = pair(mesh)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": url(weft)}))
    with opener.open("http://web", timeout=PATIENCE) as response:
        assert response.read() == str(origin.port).encode()
    assert origin.last.target == b"/"


def test_curl_as_a_forward_proxy_client(mesh):
    origin, weft, _ = pair(mesh)
    assert curl("--proxy", url(weft), "http://web/x?y", "http://web") == str(origin.port).encode() * 2
    assert [message.target for message in origin.requests] == [b"/x?y", b"/"]
    assert origin.last.header("proxy-connection") is None


def test_httpx_keeps_its_connection(mesh):
    origin, weft, _ = pair(mesh, lambda call: call.answer(body=call.message.body))
    with httpx.Client(base_url=url(weft), headers={"Host": "web"}, timeout=PATIENCE, trust_env=False) as client:
        for i in range(10):
            assert client.post("/", content=f"number {i}").text == f"number {i}"
        assert client.post("/", content=iter([b"one ", b"two"])).text == "one two"
    assert weft.metric(f"server/127.0.0.1/{weft.address()[1]}/connects") == 2  # `pair` made one too


def test_connect_is_no_tunnel_here(mesh):
    origin, _, client = pair(mesh)
    client.send(b"CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n")
    assert client.response("GET").status == 501
    assert origin.peers == []


# ---- header fields ----

def test_headers_are_left_as_they_are(mesh):
    sent = [("X-one", "1"), ("x-TWO", "a,  b"), ("Cookie", "a=1"), ("X-one", "again"), ("x-empty", ""), ("X-Obs", "caf\xe9"), ("Accept", "*/*")]
    answer = [("Set-Cookie", "a=1"), ("server", "x"), ("Set-Cookie", "b=2"), ("X-mIXed", "\xff y")]
    origin, _, client = pair(mesh, lambda call: call.answer(body=b"ok", headers=answer, reason=b"Fine By Me"))
    response = client.get("web", headers=sent)
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in sent]
    assert foreign(origin.last.raw_headers) == [(b"Host", b"web"), *encoded]
    assert foreign(response.raw_headers) == [*((name.encode(), value.encode("latin-1")) for name, value in answer), (b"Content-Length", b"2")]
    assert response.reason == b"Fine By Me"


HOP_BY_HOP = [("Connection", "X-Named, close, x-other"), ("X-Named", "1"), ("X-Other", "2"), ("Keep-Alive", "timeout=5"), ("TE", "trailers"),
              ("Trailer", "X-Sum"), ("Upgrade", "websocket"), ("Proxy-Authorization", "Basic eDp5"), ("Proxy-Authenticate", "Basic"),
              ("Proxy-Connection", "keep-alive")]


def test_hop_by_hop_fields_of_requests_end_here(mesh):
    origin, _, client = pair(mesh)
    assert client.get("web", headers=[("X-Kept", "1"), *HOP_BY_HOP, ("X-Last", "2")]).status == 200
    names = [name.lower() for name, _ in foreign(origin.last.raw_headers)]
    assert set(names) - {b"keep-alive", b"te"} == {b"host", b"x-kept", b"x-last"}
    assert client.at_end()


def test_hop_by_hop_fields_of_responses_end_here(mesh):
    def handler(call):
        call.answer(body=b"ok", headers=[("X-Kept", "1"), *HOP_BY_HOP])
        call.close()

    _, _, client = pair(mesh, handler)
    for _ in range(2):
        names = {name.lower() for name, _ in foreign(client.get("web").raw_headers)}
        assert names - {b"keep-alive"} == {b"x-kept", b"content-length"}


def test_connection_cannot_name_what_the_proxy_needs(mesh):
    """A field that Connection names goes; the framing and the host don't."""
    origin, _, client = pair(mesh, lambda call: call.answer(body=call.message.body))
    response = client.request("POST", "web", body=b"hello", headers={"Connection": "Host, Content-Length, Via, l5d-ctx-trace"})
    assert (response.status, response.body) == (200, b"hello")
    assert origin.last.header("host") == "web"
    assert origin.last.header("content-length") == "5"
    assert origin.last.header("via") == "1.1 linkerd"


def test_other_upgrades_are_not_offered_on(mesh):
    origin, _, client = pair(mesh)
    response = client.get("web", headers={"Connection": "Upgrade", "Upgrade": "chat/1"})
    assert response.status == 200
    assert origin.last.header("upgrade") is None
    assert origin.last.header("connection") is None
    assert client.get("web").status == 200


def test_many_and_long_headers_within_limits(mesh):
    origin, _, client = pair(mesh, router={"maxHeadersKB": 15, "maxInitialLineKB": 12})
    headers = [(f"X-{i}", "v" * 20) for i in range(100)]
    target = "/" + "p" * 11000
    assert client.get("web", target=target, headers=headers).status == 200
    assert origin.last.target == target.encode()
    assert len(foreign(origin.last.raw_headers)) == 101


@pytest.mark.parametrize("count", [1, 60], ids=["one", "many"])
def test_very_long_heads_when_they_are_allowed(mesh, count):
    """Beyond an ordinary buffer, both ways, on connections that then carry ordinary ones."""
    fields = [(f"X-{i}", "v" * (58000 // count - 20)) for i in range(count)]
    sent = [(name.encode(), value.encode()) for name, value in fields]
    origin, weft, client = pair(mesh, lambda call: call.answer(headers=fields, body=call.message.body),
                                router={"maxHeadersKB": 60, "maxInitialLineKB": 15})
    target = "/" + "p" * 14000
    for _ in range(3):
        answer = client.request("POST", target=target, host="web", headers=fields, body=b"b" * 40000)
        assert (answer.status, answer.body) == (200, b"b" * 40000)
        assert [field for field in answer.raw_headers if field[0].startswith(b"X-")] == sent
        assert origin.last.target == target.encode()
        assert [field for field in origin.last.raw_headers if field[0].startswith(b"X-")] == sent
        assert client.get("web").status == 200
    client.send(b"".join(request_bytes(host="web", headers=fields) for _ in range(5)))  # in one go
    assert [client.response().status for _ in range(5)] == [200] * 5
    with mesh.client(weft) as other:
        assert other.get("web", headers=[("X-Long", "v" * 62000)]).status == 431
    with mesh.client(weft) as other:
        assert other.get("web", target="/" + "p" * 16000).status == 414


@pytest.mark.parametrize("side", ["request", "response"])
def test_heads_that_grow_too_long_on_the_way(mesh, side):
    """The proxy adds fields; where they don't fit any more it says so, and nobody gets half a head."""
    size = 0
    origin, weft, _ = pair(mesh, lambda call: call.answer(headers=[("X-Long", "v" * size)] if side == "response" else ()),
                           router={"maxHeadersKB": 15})
    found = []
    for size in (100, 12000, 15000, 15500, 15800, *range(15900, 16400, 25), 17000):
        with mesh.client(weft) as client:
            found.append(client.get("web", headers=[("X-Long", "v" * size)] if side == "request" else ()).status)
    assert set(found) <= {200, 431 if side == "request" else 502}, found
    assert found[:3] == [200] * 3
    assert found == sorted(found)
    del origin


@pytest.mark.parametrize("side", ["request", "response"])
def test_heads_that_get_too_many_fields_on_the_way(mesh, side):
    count = 0
    _, weft, _ = pair(mesh, lambda call: call.answer(headers=[("X", "1")] * count if side == "response" else ()),
                      router={"client": {"failureAccrual": {"kind": "none"}}})
    found = []
    for count in (10, 80, *range(100, 135), 300):
        with mesh.client(weft) as client:
            found.append(client.get("web", headers=[("X", "1")] * count if side == "request" else ()).status)
    assert set(found) == {200, 431 if side == "request" else 502}, found
    assert found[:2] == [200] * 2
    assert found == sorted(found)


def test_http_client_of_the_standard_library(mesh):
    _, weft, _ = pair(mesh, lambda call: call.answer(body=call.message.body, headers=[("X-A", "b")]))
    connection = http.client.HTTPConnection(*weft.address(), timeout=PATIENCE)
    for body in (b"abc", iter([b"de", b"f"])):
        connection.request("PUT", "/", body=body, headers={"Host": "web"}, encode_chunked=not isinstance(body, bytes))
        response = connection.getresponse()
        assert response.read() in (b"abc", b"def")
        assert response.headers["X-A"] == "b"
    connection.close()


# ---- large bodies ----

@pytest.mark.slow
@pytest.mark.parametrize("form", ["length", "chunked"])
def test_large_bodies_with_checksum(mesh, tmp_path, form):
    size = 32 << 20
    path = tmp_path / "large"
    path.write_bytes(pattern(size))
    wanted = hashlib.sha256(path.read_bytes()).hexdigest()

    def handler(call):
        assert hashlib.sha256(call.message.body).hexdigest() == wanted
        if form == "length":
            call.answer(body=call.message.body)
            return
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, size, 77777):
            piece = call.message.body[at:at + 77777]
            call.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        call.send(b"0\r\n\r\n")

    _, weft, _ = pair(mesh, handler)
    extra = ["-H", "Transfer-Encoding: chunked"] if form == "chunked" else []
    curl("-H", "Host: web", *extra, "-T", str(path), "-o", str(tmp_path / "back"), url(weft))
    assert hashlib.sha256((tmp_path / "back").read_bytes()).hexdigest() == wanted
