# SPDX-License-Identifier: Apache-2.0
"""What weft costs: memory under a slow reader and with many idle callers, and no allocator in the steady state."""

import pathlib
import resource
import socket
import struct
import subprocess
import threading

import pytest

from client import request_bytes
from mesh import PATIENCE, sanitized, wait_until
from tls import Pki, TlsOrigin, connect

MIB = 1 << 20
MOST_RESIDENT = 16 * MIB
HERE = pathlib.Path(__file__).parent

measured = pytest.mark.skipif(sanitized(), reason="a sanitizer keeps memory for itself, and weft's pools pass through to it")


class Flow:
    """So many bytes that one side sends while the other counts them; both may be asked how far they are."""

    def __init__(self, size):
        self.size, self.sent, self.arrived = size, 0, 0
        self.block = bytes(range(256)) * 256

    def send(self, connection):
        while self.sent < self.size:
            self.sent += connection.send(self.block[:min(len(self.block), self.size - self.sent)])

    def stalled(self):
        """True when nothing has moved for a while: what isn't read isn't sent."""
        state = self.sent
        return not any(threading.Event().wait(0.02) or self.sent != state for _ in range(10))


def watch(weft, seen):
    seen.append(weft.resident_bytes())
    assert seen[-1] < MOST_RESIDENT, f"{seen[-1] / MIB:.1f} MiB"


@measured
@pytest.mark.parametrize("size", [pytest.param(128 * MIB, id="128MiB"), pytest.param(1024 * MIB, id="1GiB", marks=pytest.mark.slow)])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_slow_reader_of_a_large_response(mesh, size, framing):
    if framing == "chunked" and size > 128 * MIB:
        size //= 4
    flow = Flow(size)

    def connected(peer):
        peer.read()
        if framing == "length":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            flow.send(peer.socket)
        else:
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % size)
            flow.send(peer.socket)
            peer.send(b"\r\n0\r\n\r\n")
        peer.receive()

    mesh.service("web", mesh.origin(connected=connected))
    weft = mesh.weft()
    client = mesh.client(weft, receive_buffer=65536)
    client.send_request(host="web", headers={"Connection": "close"})
    seen = []
    wait_until(lambda: flow.sent > 0 and flow.stalled(), "the sender to be held up")
    watch(weft, seen)
    assert flow.sent < 64 * MIB
    arrived, buffer = 0, bytearray(65536)
    while True:
        got = client.socket.recv_into(buffer, 4096 if arrived < 2 * MIB else len(buffer))
        if not got:
            break
        arrived += got
        if arrived // (16 * MIB) != (arrived - got) // (16 * MIB):
            watch(weft, seen)
    assert size <= arrived <= size + size // 100
    watch(weft, seen)


@measured
@pytest.mark.parametrize("size", [pytest.param(128 * MIB, id="128MiB"), pytest.param(1024 * MIB, id="1GiB", marks=pytest.mark.slow)])
def test_slow_reader_of_a_large_request(mesh, size):
    flow, go, seen = Flow(size), threading.Event(), []

    def connected(peer):
        arrived = len(peer.socket.recv(1, socket.MSG_PEEK)) - 1
        assert go.wait(PATIENCE)
        buffer, head = bytearray(65536), None
        while head is None or arrived < head + size:
            got = peer.socket.recv_into(buffer)
            assert got
            if head is None:
                head = buffer.index(b"\r\n\r\n") + 4
            arrived += got
            if arrived // (16 * MIB) != (arrived - got) // (16 * MIB):
                seen.append(weft.resident_bytes())
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        peer.receive()

    mesh.service("web", mesh.origin(connected=connected))
    weft = mesh.weft()
    client = mesh.client(weft)
    client.send(request_bytes("POST", host="web", headers={"Content-Length": str(size)}))
    sender = threading.Thread(target=flow.send, args=(client.socket,))
    sender.start()
    wait_until(lambda: flow.sent > 0 and flow.stalled(), "the sender to be held up")
    watch(weft, seen)
    assert flow.sent < 64 * MIB
    go.set()
    assert client.response("POST").body == b"ok"
    sender.join()
    watch(weft, seen)
    assert max(seen) < MOST_RESIDENT, f"{max(seen) / MIB:.1f} MiB"


@measured
def test_idle_connections_cost_little(mesh):
    """No buffer, no timer: what is left is a session and its socket."""
    count = 2000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 3 * count)), hard))
    mesh.service("web", mesh.origin())
    weft = mesh.weft()
    for _ in range(20):
        assert mesh.client(weft).get("web").status == 200
    before = weft.resident_bytes()
    idle = [mesh.client(weft) for _ in range(count)]
    for client in idle:
        client.send_request(host="web")
        assert client.response().status == 200
    cost = (weft.resident_bytes() - before) / count
    assert cost < 2048, f"{cost:.0f} bytes for each"
    assert weft.resident_bytes() < MOST_RESIDENT
    for client in idle[::100]:
        assert client.get("web").status == 200


class Exchange:
    """Requests with answers of 1 KiB, cheap enough for thousands, on the same connections in each run."""

    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024

    def __init__(self, mesh, origin=None, connect=None):
        """`origin` makes one of what serves its connections; `connect` a caller. Without them both speak in plain text."""
        self.mesh, self.clients = mesh, []
        self.connect = connect or mesh.client
        mesh.service("web", *((origin or mesh.origin)(connected=self._serve) for _ in range(2)))

    def _serve(self, peer):
        while True:
            head = peer.read_head()
            peer.send(self.ANSWER * head.count(b"\r\n\r\n"))

    def run(self, weft, callers=4, times=10000):
        failures = []
        if not self.clients:
            self.clients = [self.connect(weft) for _ in range(callers)]

        def call(client):
            try:
                for _ in range(times // callers // 50):
                    client.send(request_bytes(host="web", headers={"l5d-ctx-dtab": "/a => /b", "X-Other": "1"}) * 50)
                    self._read(client, 50)
            except (AssertionError, OSError) as error:
                failures.append(error)

        threads = [threading.Thread(target=call, args=(client,)) for client in self.clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures

    @staticmethod
    def _read(client, count):
        body, seen = b"x" * 1024, b""
        while count:
            data = client.receive()
            assert data
            seen += data
            done = seen.count(b"\r\n\r\n" + body)
            count -= done
            seen = seen[seen.rfind(body) + len(body):] if done else seen


ROUTER = {
    "dtab": "/srv => /#/io.l5d.fs; /host => /srv; /svc => /host", "service": {"responseClassifier": {"kind": "io.l5d.http.retryableRead5XX"}},
    "client": {"loadBalancer": {"kind": "ewma"}},
}


@pytest.mark.slow
@measured
@pytest.mark.parametrize("threads", [1, 2])
def test_workers_call_no_allocator_in_the_steady_state(mesh, tmp_path, threads):
    """Counted from outside: nobody's malloc, the C library's and the thread's own included. Pools grow while more runs at
    once than ever before; that ends."""
    library, counts = tmp_path / "count.so", tmp_path / "counts"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "count_allocations.c"], check=True, timeout=60)
    counts.write_bytes(bytes(8))
    exchange = Exchange(mesh)
    weft = mesh.weft(threads=threads, env={"LD_PRELOAD": str(library), "COUNT_ALLOCATIONS": str(counts)}, **ROUTER)

    def calls():
        return struct.unpack("L", counts.read_bytes())[0]

    seen = []
    for _ in range(8):
        exchange.run(weft)
        seen.append(calls())
        if seen[-3:] == [seen[-1]] * 3:
            break
    assert seen[0] > 0  # of the start
    assert seen[-3:] == [seen[-1]] * 3, seen
    assert weft.metric("out/service/svc/web/success") == 10000 * len(seen)


class SecureExchange(Exchange):
    """The same over TLS at both ends, each of which shows a certificate; and `times` connections that are new."""

    NAME = "web.example"

    def __init__(self, mesh, folder):
        self.pki = Pki(folder)
        self.web, self.caller = self.pki.issue("web", f"DNS:{self.NAME}"), self.pki.issue("caller", "DNS:caller.example")
        super().__init__(mesh, self._origin, self._connect)

    def _origin(self, **options):
        origin = TlsOrigin(self.pki.server_context(self.web, clients=True), **options)
        self.mesh.origins.append(origin)
        return origin

    def _connect(self, weft):
        return connect(self.mesh, weft, self.pki.context(self.caller), self.NAME)

    def router(self):
        shown = {"certPath": str(self.web.cert), "keyPath": str(self.web.key)}
        roots = str(self.pki.root.cert)
        client = {"commonName": self.NAME, "trustCerts": [roots], "clientAuth": shown}
        return {**ROUTER, "server": {"tls": {**shown, "caCertPath": roots, "requireClientAuth": True}},
                "client": {**ROUTER["client"], "tls": client, "hostConnectionPool": {"idleTimeMs": 1}}}

    def shake(self, weft, times):
        """One after the other, so that no more are open at once than before."""
        for _ in range(times):
            client = self._connect(weft)
            assert client.get("web").status == 200
            client.close()
            self.mesh.clients.remove(client)


@pytest.mark.slow
@measured
def test_workers_call_no_allocator_over_tls(mesh, tmp_path):
    """Records and whole handshakes, at both sides of weft: OpenSSL's memory comes from cells that are used again."""
    library, counts = tmp_path / "count.so", tmp_path / "counts"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "count_allocations.c"], check=True, timeout=60)
    counts.write_bytes(bytes(8))
    exchange = SecureExchange(mesh, tmp_path / "pki")
    weft = mesh.weft(env={"LD_PRELOAD": str(library), "COUNT_ALLOCATIONS": str(counts)}, **exchange.router())
    seen = []
    for _ in range(8):
        exchange.run(weft, times=4000)
        exchange.shake(weft, 100)
        seen.append(struct.unpack("L", counts.read_bytes())[0])
        if seen[-3:] == [seen[-1]] * 3:
            break
    assert seen[0] > 0  # of the start
    assert seen[-3:] == [seen[-1]] * 3, seen
    metrics = weft.metrics()
    shaken = [sum(value for key, value in metrics.items() if key.startswith(prefix) and key.endswith("tls/handshakes"))
              for prefix in ("rt/out/server/", "rt/out/client/")]
    assert shaken[0] >= 100 * len(seen) and shaken[1] > len(seen)


@pytest.mark.slow
@measured
def test_whole_process_calls_no_allocator_in_the_steady_state(mesh):
    """Counted by weft itself, but for what the page that tells it needs."""
    exchange = Exchange(mesh)
    weft = mesh.weft(**ROUTER)

    def calls():
        return weft.metric("jvm/heap/allocations")

    exchange.run(weft)
    wait_until(lambda: any("/caller/" in name for name in weft.metrics()), "who calls is told once a second")
    calls()
    first, second = calls(), calls()
    exchange.run(weft)
    assert calls() - second <= second - first + 10


@pytest.mark.slow
@measured
def test_names_that_callers_make_up_are_bounded(mesh):
    """Each is bound, cached and counted for itself, up to a limit; then as overflow."""
    mesh.service("web", mesh.origin())
    weft = mesh.weft(dtab="/svc/* => /#/io.l5d.fs/web", bindingCache={"paths": 100, "trees": 100})
    client = mesh.client(weft)
    for start in range(0, 6000, 50):
        client.send(b"".join(request_bytes(host=f"h{i}", headers={"l5d-dtab": f"/x{i} => /y"}) for i in range(start, start + 50)))
        for _ in range(50):
            assert client.response().status == 200
    metrics = weft.metrics()
    services = {key.split("/")[4] for key in metrics if key.startswith("rt/out/service/svc/") and key.endswith("/requests")}
    assert 1000 < len(services) <= 4096
    assert metrics["rt/out/bindcache/tree/evicts"] >= 5900
    assert weft.resident_bytes() < 56 * MIB


@measured
def test_names_that_are_bound_to_nothing_cost_less(mesh):
    """Some hundreds are counted for themselves; a real name that comes after them still is."""
    weft = mesh.weft(bindingCache={"paths": 100, "trees": 100})
    client = mesh.client(weft)
    for start in range(0, 6000, 50):
        client.send(b"".join(request_bytes(host=f"h{i}") for i in range(start, start + 50)))
        for _ in range(50):
            assert client.response().status == 502
    mesh.service("web", mesh.origin())
    wait_until(lambda: client.get("web").status == 200, "the service")
    metrics = weft.metrics()
    services = {key.split("/")[4] for key in metrics if key.startswith("rt/out/service/svc/") and key.endswith("/requests")}
    assert "web" in services
    assert len(services) <= 258
    assert metrics["rt/out/service/overflow/requests"] >= 5700
    assert weft.resident_bytes() < 20 * MIB
    assert client.get("web").status == 200
