# SPDX-License-Identifier: Apache-2.0
"""Any version of HTTP on one side, any on the other: what a listener is told with its first bytes, by `Upgrade: h2c` or by TLS (ALPN)."""

import socket
import ssl
import subprocess
import threading

import pytest

from http2 import ACK, PING, SETTINGS, Http2Client, Http2Origin, RawHttp2
from mesh import PATIENCE, wait_until
from tls import Pki, TlsOrigin

ASKED = {"HTTP/1.1": ("--http1.1", "1.1"), "prior knowledge": ("--http2-prior-knowledge", "2"), "Upgrade: h2c": ("--http2", "2")}


def curl(weft, *arguments):
    """The status, the version spoken and the body."""
    ip, port = weft.address()
    done = subprocess.run(["curl", "-sS", "-H", "Host: web", "-w", "\n%{http_code} %{http_version}", *arguments, f"http://{ip}:{port}/"],
                          stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
    body, _, said = done.stdout.decode().rpartition("\n")
    return (*said.split(), body)


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("protocol", ["http", "h2"])
@pytest.mark.parametrize("client", ["http", "auto"])
def test_listeners_take_every_version(mesh, protocol, client, asked):
    mesh.service("web", mesh.origin())
    weft = mesh.weft(mesh.config(mesh.router(protocol=protocol, client={"protocol": client})))
    option, spoken = ASKED[asked]
    status, version, _ = curl(weft, option)
    assert (status, version) == ("200", spoken)
    assert weft.metric("rt/out/service/svc/web/success") == 1


@pytest.mark.parametrize("asked", ASKED)
def test_two_proxies_with_http2_between(mesh, asked):
    mesh.service("web", mesh.origin())
    inner = mesh.weft(mesh.config(mesh.router(label="in", protocol="h2", client={"protocol": "http"})))
    mesh.service("far", inner.address())
    outer = mesh.weft(mesh.config(mesh.router(dtab="/svc/web => /#/io.l5d.fs/far", client={"protocol": "h2"})))
    option, spoken = ASKED[asked]
    for _ in range(3):
        status, version, _ = curl(outer, option, "-d", "some bytes")
        assert (status, version) == ("200", spoken)
    assert inner.metric("rt/in/service/svc/web/success") == 3
    assert outer.metric("rt/out/client/#/io.l5d.fs/far/connects") == 1


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("spoken", [["h2"], ["http/1.1"], ["h2", "http/1.1"], []], ids=["h2", "http/1.1", "either", "no ALPN"])
def test_auto_follows_what_tls_agrees_on(mesh, spoken, asked):
    """`protocol: auto`: the endpoint chooses, and HTTP/2 is what weft would rather speak."""
    pki = Pki(mesh.folder / "pki")
    context = pki.server_context(pki.issue("web", "DNS:web.example"))
    if spoken:
        context.set_alpn_protocols(spoken)
    http2 = "h2" in spoken
    origin = Http2Origin(body=b"answered", context=context) if http2 else TlsOrigin(context, body=b"answered")
    if not http2:
        mesh.origins.append(origin)
    mesh.service("web", origin.address)
    client = {"protocol": "auto", "tls": {"commonName": "web.example", "trustCerts": [str(pki.root.cert)]}}
    weft = mesh.weft(mesh.config(mesh.router(client=client)))
    option, version = ASKED[asked]
    for _ in range(3):
        assert curl(weft, option, "-d", "some bytes") == ("200", version, "answered")
    assert weft.metric("rt/out/client/#/io.l5d.fs/web/connects") == 1
    if http2:
        assert [connection.socket.selected_alpn_protocol() for connection in origin.connections] == ["h2"]
    mesh.close()
    if http2:
        assert len(origin.requests) == 3 and {exchange.body for exchange in origin.requests} == {b"some bytes"}
        assert not origin.complaints
        origin.close()


@pytest.mark.parametrize("protocol", ["websocket", "chat/1"])
def test_an_upgrade_is_an_ordinary_request_over_http2(mesh, protocol):
    """RFC 9110 section 7.8: it may be ignored. Its body, of which only its end tells the length, ends all the same."""
    origin = Http2Origin(body=b"answered")
    mesh.service("web", origin.address)
    weft = mesh.weft(mesh.config(mesh.router(client={"protocol": "h2"})))
    fields = ("Transfer-Encoding: chunked", "Connection: Upgrade", f"Upgrade: {protocol}")
    done = curl(weft, "--http1.1", "--max-time", "5", "-d", "some bytes", *(word for field in fields for word in ("-H", field)))
    assert done == ("200", "1.1", "answered")
    assert origin.requests[0].body == b"some bytes"
    assert origin.requests[0].header("upgrade") is None
    mesh.close()
    origin.close()
    assert not origin.complaints


@pytest.mark.parametrize("offered", [["h2"], ["http/1.1"], []])
def test_callers_that_leave_right_behind_their_handshake(mesh, tmp_path, offered):
    """Whatever the connection was about to become: at the end of the test none may be left open (Weft.finish)."""
    pki = Pki(tmp_path)
    leaf = pki.issue("web", "DNS:web.example")
    weft = mesh.weft(mesh.config(mesh.router(server={"tls": {"certPath": str(leaf.cert), "keyPath": str(leaf.key)}})))
    context = ssl.create_default_context(cafile=pki.root.cert)
    if offered:
        context.set_alpn_protocols(offered)
    for _ in range(60):
        plain = socket.create_connection(weft.address(), PATIENCE)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = context.wrap_bio(incoming, outgoing, server_hostname="web.example")
        while True:
            try:
                secured.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536))
        try:
            secured.unwrap()
        except ssl.SSLError:
            pass
        plain.sendall(outgoing.read())   # the last of the handshake and close_notify, in one segment
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(65536):
            pass
        plain.close()


# ---- heads that are longer than a buffer and than a frame ----

LONG = {"few": 6, "many": 60}


def long_fields(count):
    return [(f"x-{n}", "v" * (58_000 // count - 20)) for n in range(count)]


def echo_by_http1(call):
    call.answer(headers=[(name.decode(), value.decode()) for name, value in call.message.raw_headers if name.lower().startswith(b"x-")], body=b"short")


def echo_by_http2(connection, exchange):
    """Its long fields; to POST again as trailers, behind a body that fills the windows."""
    long = [(name, value) for name, value in exchange.fields if name.startswith("x-")]
    posts = exchange.header(":method") == "POST"
    connection.answer(exchange, headers=long, body=b"b" * (80_000 if posts else 5), trailers=long if posts else ())


def long_chain(mesh, server, client):
    """weft and its origin, which sends back what it got."""
    origin = Http2Origin(echo_by_http2) if client == "h2" else mesh.origin(echo_by_http1)
    mesh.service("web", origin.address if client == "h2" else origin)
    return origin, mesh.weft(mesh.config(mesh.router(protocol=server, maxHeadersKB=64, client={"protocol": client})))


@pytest.mark.parametrize("count", LONG.values(), ids=LONG)
@pytest.mark.parametrize("client", ["http", "h2"])
def test_long_heads_by_http2(mesh, client, count):
    """Both ways, on connections that then carry ordinary ones; trailers too."""
    origin, weft = long_chain(mesh, "h2", client)
    fields = long_fields(count)
    with Http2Client(weft.address()) as caller:
        for _ in range(2):
            started = [caller.start("web", method="POST", path="/" + "p" * 3000, headers=fields, body=b"b" * 1000) for _ in range(3)]
            for exchange in map(caller.wait, started):
                assert exchange.status == 200
                assert [field for field in exchange.fields if field[0].startswith("x-")] == fields
                assert len(exchange.body) == (80_000 if client == "h2" else 5)
                assert exchange.trailers == (fields if client == "h2" else [])
            assert caller.get("web").status == 200
        assert caller.get("web", headers=[("x-long", "v" * 65_600)]).status == 431
        assert caller.get("web", headers=fields).status == 200
    mesh.close()
    origin.close()
    assert client != "h2" or not origin.complaints


@pytest.mark.parametrize("option", ["--http1.1", "--http2-prior-knowledge", "--http2"])
@pytest.mark.parametrize("client", ["http", "h2"])
def test_curl_with_a_long_head(mesh, client, option):
    """`Upgrade: h2c`, too. What comes back is as long."""
    origin, weft = long_chain(mesh, "http", client)
    (name, value), = long_fields(1)
    if option == "--http2":
        value = value[:28_000]   # curl 7.88 fails when more than 32 KiB come along with the 101
    headers = mesh.folder / "headers"
    headers.write_text(f"{name}: {value}\n")
    done = curl(weft, option, "-H", f"@{headers}", "-D", str(mesh.folder / "heads"))
    assert done[:2] == ("200", "1.1" if option == "--http1.1" else "2")
    assert f"{name}: {value}\n" in (mesh.folder / "heads").read_text().replace("\r\n", "\n")
    origin.close()


def test_long_heads_between_proxies(mesh):
    _, inner = long_chain(mesh, "h2", "http")
    mesh.service("far", inner.address())
    outer = mesh.weft(mesh.config(mesh.router(dtab="/svc/web => /#/io.l5d.fs/far", maxHeadersKB=64, client={"protocol": "h2"})))
    fields = long_fields(60)
    with Http2Client(outer.address()) as caller:
        answer = caller.get("web", headers=fields)
        assert (answer.status, [field for field in answer.fields if field[0].startswith("x-")]) == (200, fields)


# ---- peers that have died silently ----

def test_endpoints_that_answer_no_ping(mesh):
    """It has said hello, and then nothing more; the request on it fails within two intervals, not never."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mesh.service("web", listener.getsockname())
        weft = mesh.weft(mesh.config(mesh.router(client={"protocol": "h2", "pingIntervalMs": 1000})))
        with mesh.client(weft) as caller:
            caller.send(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
            dead, _ = listener.accept()
            with dead:
                dead.sendall(RawHttp2.bytes_of(SETTINGS, 0, 0) + RawHttp2.bytes_of(SETTINGS, ACK, 0))
                answer = caller.response()
                assert (answer.status, answer.text) == (503, "{}:{} has fallen silent".format(*listener.getsockname()))
    assert weft.metric("rt/out/client/#/io.l5d.fs/web/closes") >= 1


def test_callers_that_answer_no_ping(mesh):
    """One that does is served, however long its answer takes."""
    gone = threading.Event()

    def answer_then(call):
        assert gone.wait(PATIENCE)
        call.answer()

    mesh.service("web", mesh.origin(answer_then))
    weft = mesh.weft(mesh.config(mesh.router(protocol="h2", client={"protocol": "http"}, server={"pingIntervalMs": 1000})))
    with Http2Client(weft.address()) as alive, RawHttp2(weft.address()) as dead:
        waiting = threading.Thread(target=lambda: (dead.until_end(), gone.set()))
        waiting.start()
        assert alive.get("web").status == 200  # the library answers pings while it reads
        waiting.join(PATIENCE)
        assert len(dead.of(PING)) == 1
    wait_until(lambda: weft.metric("rt/out/server/127.0.0.1/0/connections") == 0)
