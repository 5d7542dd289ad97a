# SPDX-License-Identifier: Apache-2.0
"""samples/helloworld, by itself and without a mesh: what it answers, sends on to its target, and can be told."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

HELLOWORLD = pathlib.Path(__file__).resolve().parents[2] / "samples" / "helloworld" / "helloworld.py"
DEADLINE_S = 20


class Instance:
    """A running helloworld.py and the address that it printed."""

    def __init__(self, *flags, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        for name in ("POD_IP", "TARGET_WORLD"):
            kept.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, HELLOWORLD, "-addr=127.0.0.1:0", *flags],
            env={**kept, **environment}, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        match = re.search(r" on (127\.0\.0\.1:(\d+))$", line.rstrip())
        assert match, f"expected the bound address, got {line!r}"
        self.address, self.port = match[1], int(match[2])

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)

    def ask(self, path="/", method="GET", headers=None, body=None):
        """(status, body text) of one request on a connection of its own."""
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def end(self):
        self.process.terminate()
        self.process.wait(DEADLINE_S)
        self.process.stdout.close()


@pytest.fixture
def start():
    instances = []

    def started(*flags, **environment):
        instances.append(Instance(*flags, **environment))
        return instances[-1]

    yield started
    for instance in instances:
        instance.end()


class Recorder:
    """Stands where a target or a proxy would: keeps each request's line and headers, answers `seen!`."""

    def __init__(self, status=200):
        requests = self.requests = []

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self):
                requests.append((self.requestline, self.headers.items(), self.client_address))
                self.send_response(status)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"seen!")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def record():
    recorders = []

    def recorded(status=200):
        recorders.append(Recorder(status))
        return recorders[-1]

    yield recorded
    for recorder in recorders:
        recorder.end()


def test_world_answers_its_text_without_a_line_end(start):
    assert start("-text=world").ask() == (200, "world!")


def test_default_text_is_hello(start):
    assert start().ask() == (200, "Hello!")


def test_pod_ip_and_target_world_show_in_the_text(start):
    assert start("-text=world", TARGET_WORLD="earth", POD_IP="127.0.3.1").ask() == (200, "earth (127.0.3.1)!")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_any_path_and_method_answers(start, method):
    assert start("-text=world").ask("/any/path?with=query", method) == (200, "world!")


def test_hello_calls_world(start):
    world = start("-text=world", POD_IP="127.0.2.1")
    hello = start("-text=Hello", f"-target={world.address}", POD_IP="127.0.1.1")
    assert hello.ask() == (200, "Hello (127.0.1.1) world (127.0.2.1)!!")


def test_flags_may_be_given_in_two_words(start):
    world = start("-text", "world")
    assert start("-target", world.address, "-text", "Hi").ask() == (200, "Hi world!!")


def test_json_answer(start):
    world = start("-text=world")
    status, body = start("-text=api", f"-target={world.address}", "-json").ask()
    assert (status, json.loads(body)) == (200, {"api_result": "api world!"})


def test_context_headers_and_no_others_reach_the_target(start, record):
    target = record()
    hello = start(f"-target={target.address}")
    status, _ = hello.ask(headers={
        "l5d-ctx-dtab": "/host/world=>/srv/world-v2", "L5D-Ctx-Trace": "AAAA", "l5d-ctx-deadline": "1 2",
        "l5d-dtab": "/no=>/no", "l5d-reqid": "1", "x-b3-traceid": "1", "Cookie": "a=b"})
    assert status == 200
    line, headers, _ = target.requests[0]
    assert line == "GET / HTTP/1.1"
    sent = {name.lower(): value for name, value in headers}
    assert sent.pop("user-agent")
    assert sent == {"host": target.address, "l5d-ctx-dtab": "/host/world=>/srv/world-v2", "l5d-ctx-trace": "AAAA",
                    "l5d-ctx-deadline": "1 2"}


@pytest.mark.parametrize("form", ["{}", "http://{}", "http://{}/"])
def test_target_is_asked_through_http_proxy(start, record, form):
    proxy = record()
    hello = start("-target=world", http_proxy=form.format(proxy.address))
    assert hello.ask() == (200, "Hello seen!!")
    line, headers, _ = proxy.requests[0]
    assert line == "GET http://world HTTP/1.1"
    assert ("Host", "world") in headers


def test_connection_to_the_target_is_kept(start, record):
    target = record()
    hello = start(f"-target={target.address}")
    for _ in range(5):
        assert hello.ask() == (200, "Hello seen!!")
    assert len({client for _, _, client in target.requests}) == 1


def test_closed_connection_to_the_target_is_replaced(start):
    world = start("-text=world")
    hello = start(f"-target={world.address}")
    assert hello.ask() == (200, "Hello world!!")
    world.end()
    assert hello.ask()[0] == 503
    again = subprocess.Popen([sys.executable, HELLOWORLD, f"-addr={world.address}", "-text=back"],
                             stdout=subprocess.PIPE, text=True)
    try:
        assert again.stdout.readline()
        assert hello.ask() == (200, "Hello back!!")
    finally:
        again.terminate()
        again.wait(DEADLINE_S)
        again.stdout.close()


@pytest.mark.parametrize("status", [500, 404, 201])
def test_answer_other_than_200_from_the_target_is_503(start, record, status):
    hello = start(f"-target={record(status).address}")
    assert hello.ask() == (503, f"invalid response {status}\n")


def test_connection_is_kept_and_bodies_are_passed_over(start):
    connection = start("-text=world").connect()
    sent = [(None, {}), (b"GET / HTTP/1.1\r\n\r\n", {}),
            (iter([b"one", b"two"]), {"Transfer-Encoding": "chunked"}), (None, {})]
    for body, headers in sent:
        connection.request("POST", "/", body=body, headers=headers, encode_chunked=bool(headers))
        response = connection.getresponse()
        assert (response.status, response.read(), response.will_close) == (200, b"world!", False)
    connection.close()


def test_cut_chunk_size_is_400_and_closes(start):
    with socket.create_connection(("127.0.0.1", start().port), DEADLINE_S) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        answer = b""
        while piece := client.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ") and b"Connection: close" in answer


def test_failure_rate_is_set_and_reset(start):
    world = start("-text=world")
    assert world.ask("/setFailureRate?failureRate=1.0", "POST") == (200, "ok")
    assert [world.ask() for _ in range(10)] == [(500, "\n")] * 10
    assert world.ask("/setFailureRate?failureRate=0", "POST") == (200, "ok")
    assert [world.ask() for _ in range(10)] == [(200, "world!")] * 10


def test_failure_rate_flag(start):
    assert start("-failure-rate=1").ask() == (500, "\n")


def test_latency_is_set_and_reset(start):
    world = start("-text=world", "-latency=1h")
    connection = world.connect()
    connection.request("GET", "/")  # Sleeps past the end of the test: the flag is heeded.
    connection.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    assert world.ask("/setLatency?latency=50ms", "POST") == (200, "ok")
    before = time.monotonic()
    assert world.ask() == (200, "world!")
    assert time.monotonic() - before >= 0.05
    connection.close()


@pytest.mark.parametrize("path, method, expected", [
    ("/setLatency?latency=300ms", "GET", (405, "POST required\n")),
    ("/setFailureRate?failureRate=1", "PUT", (405, "POST required\n")),
    ("/setLatency", "POST", (400, "missing required parameter: latency\n")),
    ("/setFailureRate?latency=1s", "POST", (400, "missing required parameter: failureRate\n")),
    ("/setLatency?latency=300", "POST", (400, "latency is not a valid duration\n")),
    ("/setLatency?latency=ms", "POST", (400, "latency is not a valid duration\n")),
    ("/setFailureRate?failureRate=often", "POST", (400, "failureRate is not a valid float\n")),
    ("/setFailureRate?failureRate=1.5", "POST", (400, "failureRate must be between 0.0 and 1.0\n")),
    ("/setFailureRate?failureRate=nan", "POST", (400, "failureRate must be between 0.0 and 1.0\n")),
])
def test_set_requests_that_are_refused(start, path, method, expected):
    world = start("-text=world")
    assert world.ask(path, method) == expected
    assert world.ask() == (200, "world!")


@pytest.mark.parametrize("text", ["300ms", "0", "1.5s", "0.0001h"])
def test_durations_that_are_taken(start, text):
    assert start().ask(f"/setLatency?latency={text}", "POST") == (200, "ok")


def test_sigterm_ends_it_at_once_even_in_the_middle_of_an_answer(start):
    world = start("-latency=1h")
    connection = world.connect()
    connection.request("GET", "/")
    world.process.send_signal(signal.SIGTERM)
    assert world.process.wait(DEADLINE_S) == -signal.SIGTERM
    connection.close()


def test_address_in_use_is_told_in_one_line(start):
    world = start()
    second = subprocess.run([sys.executable, HELLOWORLD, f"-addr={world.address}"], capture_output=True, text=True,
                            timeout=DEADLINE_S)
    assert second.returncode == 1
    assert second.stderr == f"helloworld: cannot serve on {world.address}: Address already in use\n"


# ---- over gRPC ----

@pytest.fixture(name="greet")
def make_greet():
    """greet(instance, flag...): (what greet.py prints on stdout, on stderr)"""
    def greet(instance, *flags):
        done = subprocess.run([sys.executable, HELLOWORLD.with_name("greet.py"), instance.address, *flags], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
        return done.stdout.splitlines(), done.stderr.strip()

    return greet


def test_grpc_hello_calls_world(start, greet):
    world = start("-protocol=grpc", "-text=world", POD_IP="127.0.2.1")
    hello = start("-protocol=grpc", f"-target={world.address}", POD_IP="127.0.1.1")
    assert greet(hello) == (["Hello (127.0.1.1) world (127.0.2.1)!!"], "")
    assert greet(hello, "-streaming") == (["Hello (127.0.1.1) world (127.0.2.1)!!"] * 5, "")
    assert greet(world, "-service", "World") == (["world (127.0.2.1)!"], "")


def test_grpc_context_and_nothing_else_reaches_the_target(start, greet):
    """What the target gets is recorded by a server of grpcio's own."""
    import grpc
    from concurrent.futures import ThreadPoolExecutor

    seen = []

    def greeting(_, context):
        seen.extend(context.invocation_metadata())
        return b"\x0a\x05seen!"

    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.unary_unary_rpc_method_handler(greeting)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("helloworld.World", {"Greeting": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    hello = start("-protocol=grpc", f"-target=127.0.0.1:{port}")
    assert greet(hello, "-H", "l5d-ctx-dtab: /a=>/b", "-H", "l5d-dtab: /no=>/no", "-H", "x-other: 1") == (["Hello seen!!"], "")
    server.stop(None)
    names = {name for name, _ in seen}
    assert "l5d-ctx-dtab" in names and not {"l5d-dtab", "x-other"} & names


def test_grpc_failure_and_latency_are_set_at_the_control_address(start, greet):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    world = start("-protocol=grpc", "-text=world", f"-control=127.0.0.1:{port}")

    def tell(request):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        connection.request("POST", request)
        assert connection.getresponse().read() == b"ok"
        connection.close()

    tell("/setFailureRate?failureRate=1.0")
    assert greet(world) == ([], "greet: UNKNOWN: server error")
    hello = start("-protocol=grpc", f"-target={world.address}")
    assert greet(hello) == ([], "greet: UNKNOWN: server error")
    tell("/setFailureRate?failureRate=0")
    tell("/setLatency?latency=50ms")
    before = time.monotonic()
    assert greet(world) == (["world!"], "")
    assert time.monotonic() - before >= 0.05


@pytest.mark.parametrize("flags", [["-control=127.0.0.1:0"], ["-protocol=grpc", "-json"], ["-protocol=thrift"]])
def test_flags_that_do_not_go_together_are_refused(flags):
    done = subprocess.run([sys.executable, HELLOWORLD, *flags], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 2 and "usage:" in done.stderr
