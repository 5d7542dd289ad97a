# SPDX-License-Identifier: Apache-2.0
"""Restarts under load in the order that loses nothing: of a service's instances, and of the proxy itself."""

import contextlib
import functools
import http.server
import os
import select
import signal
import socket
import threading

import pytest

from callers import Callers
from client import Client, CutShort
from mesh import wait_until


class Instance:
    """One of a service, on Python's own HTTP server. `stop` ends it as good services end: it accepts no more, closes the connections that
    idle, answers what runs and closes those, too."""

    def __init__(self, port=0):
        instance = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                self.busy = True   # what it has accepted it answers
                with instance.lock:
                    instance.handlers.add(self)

            def parse_request(self):
                with instance.lock:
                    self.busy = True
                    return super().parse_request()

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with instance.lock:
                    instance.answered += 1
                    self.send_response(200)
                    self.send_header("Content-Length", "5")
                    if instance.stopping:
                        self.send_header("Connection", "close")
                    self.end_headers()
                    self.wfile.write(b"hello")
                    self.busy = False

            do_GET = do_POST = answer

            def finish(self):
                with instance.lock:
                    instance.handlers.discard(self)
                with contextlib.suppress(OSError):
                    super().finish()

            def log_message(self, format, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass    # it was us who closed the connection

        self.lock, self.handlers, self.stopping, self.answered = threading.RLock(), set(), False, 0
        self.server = Server(("127.0.0.1", port), Handler)
        self.address = self.server.server_address
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.timeout = 0
        while select.select([self.server.socket], [], [], 0)[0]:    # connections that are made already
            self.server.handle_request()
        self.server.socket.close()
        with self.lock:
            self.stopping = True
            for handler in self.handlers:
                if not handler.busy:
                    with contextlib.suppress(OSError):
                        handler.connection.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: not self.handlers, "the last connections")


class Load(Callers):
    """Callers that send one request after another; only who is refused the connection tries again."""

    def __init__(self, address, callers=(("GET", True), ("GET", False))):
        self.address = address
        super().__init__([functools.partial(self._run, *caller) for caller in callers])

    def _connect(self):
        while not self.stopping.is_set():
            try:
                return Client(self.address)
            except ConnectionRefusedError:
                self.stopping.wait(0.005)
        return None

    def _run(self, method, keep, which):
        client = None
        try:
            while not self.stopping.is_set():
                if client and select.select([client.socket], [], [], 0)[0]:
                    client.close()   # the proxy has, in order, for it had idled: it isn't used again
                    client = None
                client = client or self._connect()
                if not client:
                    return
                answer = client.request(method, "web", body=b"body" if method == "POST" else None)
                assert (answer.status, answer.body) == (200, b"hello"), answer
                self.counts[which] += 1
                if not keep or answer.header("connection") == "close":
                    client.close()
                    client = None
        except (OSError, CutShort, AssertionError) as error:
            self.failures.append(f"{method} {'kept' if keep else 'fresh'}: {error!r}")
        finally:
            if client:
                client.close()


@pytest.fixture(name="instances")
def make_instances():
    instances = [Instance(), Instance()]
    yield instances
    for instance in instances:
        instance.stop()


def test_a_service_that_restarts_without_a_word_loses_no_idempotent_request(mesh, instances):
    """It stays listed all the time: kept connections are found closed, and new ones are refused until it is back."""
    mesh.service("web", *[instance.address for instance in instances])
    weft = mesh.weft(threads=2)
    with Load(weft.address(), [("GET", True), ("GET", True), ("GET", False)]) as load:
        for i in range(10):
            load.wait_for(5)
            which = i % 2
            instances[which].stop()
            load.wait_for(5)
            instances[which] = Instance(instances[which].address[1])
        load.wait_for(5)
    assert not load.failures


def test_a_service_that_leaves_in_order_loses_no_request_at_all(mesh, instances):
    """First it isn't listed any more, then weft lets its connections go, then it ends: POSTs, too, are answered, each once."""
    mesh.service("web", *[instance.address for instance in instances])
    weft = mesh.weft(threads=2)
    answered = 0
    with Load(weft.address(), [("POST", True), ("POST", True), ("POST", False)]) as load:
        for i in range(6):
            load.wait_for(5)
            which = i % 2
            leaving, other = instances[which], instances[1 - which]
            mesh.service("web", other.address)
            wait_until(lambda leaving=leaving: not leaving.handlers, "weft to let its connections go")
            leaving.stop()
            load.wait_for(5)
            answered += leaving.answered
            instances[which] = Instance()
            mesh.service("web", other.address, instances[which].address)
        load.wait_for(5)
    assert not load.failures
    assert answered + sum(instance.answered for instance in instances) == sum(load.counts)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_proxy_restarts_and_callers_that_were_refused_try_again(mesh, threads):
    mesh.service("web", mesh.origin(body=b"hello"))
    port = free_port()
    config = mesh.config(mesh.router(server={"port": port}), admin={"drainDelayMs": 50})
    weft = mesh.weft(config, threads=threads)
    with Load(weft.address(), [("POST", True), ("POST", True), ("POST", False), ("POST", False)]) as load:
        for _ in range(5):
            load.wait_for(5)
            weft.signal(signal.SIGTERM)
            weft.wait_end()
            weft = mesh.weft(config, threads=threads)
        load.wait_for(5)
    assert not load.failures


def test_connections_in_the_queue_are_answered_when_the_proxy_ends(mesh):
    """They came while it could not accept, and SIGTERM came behind them."""
    mesh.service("web", mesh.origin(body=b"hello"))
    weft = mesh.weft()
    with contextlib.ExitStack() as stack:
        weft.signal(signal.SIGSTOP)
        # More than a worker accepts in one turn, so that it hears of the end before it has accepted all of them.
        waiting = [stack.enter_context(Client(weft.address())) for _ in range(300)]
        for client in waiting:
            client.send_request(host="web")
        weft.signal(signal.SIGTERM)
        weft.signal(signal.SIGCONT)
        for client in waiting:
            assert client.response().body == b"hello"
    weft.wait_end()


def test_readiness_goes_first(mesh):
    """Until the delay is over it says that it isn't ready, and serves all the same."""
    mesh.service("web", mesh.origin(body=b"hello"))
    weft = mesh.weft(mesh.config(admin={"drainDelayMs": 3_600_000}))
    weft.wait_ready()
    assert weft.admin("/admin/ready").text == "ready"
    with Client(weft.address()) as kept:
        assert kept.get("web").header("connection") is None
        weft.signal(signal.SIGTERM)
        wait_until(lambda: weft.admin("/admin/ready").status == 503, "not to be ready")
        assert weft.admin("/admin/ping").text == "pong"
        assert kept.get("web").header("connection") is None
        with Client(weft.address()) as fresh:
            assert fresh.get("web").body == b"hello"
    weft.expected_exit = 1
    weft.signal(signal.SIGTERM)
    weft.wait_end()


def test_a_handover_is_possible_until_the_delay_is_over(mesh):
    mesh.service("web", mesh.origin(body=b"hello"))
    path = str(mesh.folder / "handover.sock")
    old = mesh.weft(mesh.config(admin={"drainDelayMs": 3_600_000}), arguments=["--handover", path, "--drain", "1h"])
    old.wait_ready()
    old.signal(signal.SIGTERM)
    wait_until(lambda: old.admin("/admin/ready").status == 503, "not to be ready")
    new = mesh.weft(arguments=["--handover", path])
    assert new.address() == old.address()
    old.wait_end()
    with Client(new.address()) as client:
        assert client.get("web").body == b"hello"
    assert os.path.exists(path)
