# SPDX-License-Identifier: Apache-2.0
"""WebSockets (RFC 6455) through the proxy, and through two with HTTP/2 between them (RFC 8441); both ends are the library websockets."""

import base64
import contextlib
import hashlib
import socket
import threading

import pytest
from http2 import Http2Client
from mesh import PATIENCE, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import serve


class Echo:
    """A server that answers each message with itself; `refuse`: paths that it answers with 403."""

    def __init__(self):
        self.seen = []
        self.server = serve(self._echo, "127.0.0.1", 0, process_request=self._request, max_size=None)
        self.address = self.server.socket.getsockname()
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def _request(self, connection, request):
        self.seen.append(request.headers)
        return connection.respond(403, "not here") if request.path == "/refused" else None

    @staticmethod
    def _echo(connection):
        for message in connection:
            if message == "leave":
                connection.close(4001, "as asked")
            elif message == "break":
                connection.socket.shutdown(socket.SHUT_RDWR)
            else:
                connection.send(message)

    def close(self):
        self.server.shutdown()
        self.thread.join(PATIENCE)


@pytest.fixture(name="echo")
def make_echo():
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture(name="weft", params=["one proxy", "HTTP/2 between two", "by an h2 router"])
def make_weft(request, mesh, echo):
    mesh.service("web", echo.address)
    if request.param == "one proxy":
        return mesh.weft()
    protocol = "h2" if request.param == "by an h2 router" else "http"
    inner = mesh.weft(mesh.config(mesh.router("in", protocol=protocol, client={"protocol": "http"})))
    mesh.service("peer", inner.address())
    return mesh.weft(mesh.config(mesh.router("out", dtab="/svc => /#/io.l5d.fs/peer", protocol=protocol, client={"protocol": "h2"})))


def open_socket(weft, path="/", **options):
    return connect(f"ws://web{path}", sock=socket.create_connection(weft.address(), PATIENCE), open_timeout=PATIENCE, max_size=None,
                   proxy=None, **options)


def test_messages_of_all_sizes(weft):
    with open_socket(weft) as client:
        for message in ("hello", "", b"\x00\xff" * 100, "x" * 65536, b"y" * (3 << 20)):
            client.send(message)
            assert client.recv(PATIENCE) == message
        assert client.ping().wait(PATIENCE)


def test_many_at_once(weft):
    clients = [open_socket(weft) for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(f"message {number}")
    for number, client in enumerate(clients):
        assert client.recv(PATIENCE) == f"message {number}"
    for client in clients:
        client.close()


def test_fields_of_the_handshake(weft, echo):
    with open_socket(weft, "/chat?room=1", additional_headers={"X-Own": "kept"}) as client:
        assert client.response.status_code == 101
    seen = echo.seen[-1]
    assert seen["Upgrade"].lower() == "websocket" and seen["X-Own"] == "kept" and "linkerd" in seen["Via"]
    assert seen["l5d-dst-service"].endswith("/web") or seen["l5d-dst-service"].endswith("/peer")


def test_a_handshake_that_is_refused(weft):
    for _ in range(3):
        with pytest.raises(InvalidStatus) as refused:
            open_socket(weft, "/refused")
        assert refused.value.response.status_code == 403
    with open_socket(weft) as client:
        client.send("still there")
        assert client.recv(PATIENCE) == "still there"


def test_who_closes(weft):
    with open_socket(weft) as client:
        client.send("leave")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(PATIENCE)
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as asked")
    client = open_socket(weft)
    client.send("break")
    with pytest.raises(ConnectionClosed):
        client.recv(PATIENCE)
    client = open_socket(weft)
    client.socket.shutdown(socket.SHUT_RDWR)
    client.close()
    label = next(iter(weft.addresses))
    wait_until(lambda: weft.metric(f"rt/{label}/server/127.0.0.1/0/pending") == 0, "the end of what was broken off")


def test_no_endpoint(mesh):
    weft = mesh.weft()
    with pytest.raises(InvalidStatus) as refused:
        open_socket(weft)
    assert refused.value.response.status_code == 502


def test_an_origin_that_knows_no_websockets(mesh):
    """It answers as to any request, and the connection goes on (RFC 9110 section 7.8)."""
    mesh.service("web", mesh.origin(body=b"plain"))
    weft = mesh.weft()
    with mesh.client(weft) as client:
        for _ in range(3):
            answer = client.get("web", headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                                                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
            assert (answer.status, answer.body) == (200, b"plain")


class Liar:
    """Answers each handshake with 101 and what `accept(right)` makes of the right Sec-WebSocket-Accept; None: without one. Then it echoes."""

    def __init__(self, accept):
        self.accept = accept
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(ConnectionError):
                self._answer(connection)

    def _answer(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        right = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
        said = self.accept(right)
        field = f"Sec-WebSocket-Accept: {said}\r\n" if said is not None else ""
        connection.sendall(f"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n{field}\r\n".encode())
        while data := connection.recv(4096):
            connection.sendall(data)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(PATIENCE)


@pytest.mark.parametrize("accept, status", [
    pytest.param(lambda right: right, 200, id="right"), pytest.param(lambda right: right.swapcase(), 502, id="wrong"),
    pytest.param(lambda right: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 502, id="of another key"), pytest.param(lambda right: None, 502, id="none"),
])
def test_answers_to_the_key_that_weft_made_up(mesh, accept, status):
    """A caller by HTTP/2 has no key and can't check the answer (RFC 8441 section 5.1); so weft does (RFC 6455 section 4.1)."""
    liar = Liar(accept)
    mesh.service("web", liar.address)
    weft = mesh.weft(mesh.config(mesh.router(protocol="h2", client={"protocol": "http"})))
    with Http2Client(weft.address()) as caller:
        asked = caller.start("web", method="CONNECT", headers=[(":protocol", "websocket"), ("sec-websocket-version", "13")], end=False)
        caller.wait(asked, lambda exchange: exchange.fields)
        assert asked.status == status
        if status == 200:
            caller.send(asked, b"bytes", end=True)
            assert caller.wait(asked).body == b"bytes"
            assert asked.header("sec-websocket-accept") is None
        else:
            assert b"is no valid response" in caller.wait(asked).body
            assert weft.metric("rt/out/client/#/io.l5d.fs/web/failures") == 1
    mesh.close()
    liar.close()
