# SPDX-License-Identifier: Apache-2.0
"""Any version of HTTP on one side, any on the other: what a listener is told with its first bytes, by `Upgrade: h2c` or by TLS (ALPN)."""

import socket
import ssl
import subprocess

import pytest

from http2 import Http2Origin
from mesh import PATIENCE
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
