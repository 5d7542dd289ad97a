# SPDX-License-Identifier: Apache-2.0
"""Active health checks: of grpcio's own health service (grpcio-health-checking), and of HTTP servers."""

import http.client
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from certificates import Authority
from grpc_service import channel, unary
from mesh import wait_until

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
CLIENT = "rt/out/client/#/io.l5d.fs/"
# Five in a row: on a busy machine an endpoint that is well can miss the time limit once or twice.
FAST = {"intervalMs": 400, "timeoutMs": 400, "unhealthyThreshold": 5, "healthyThreshold": 2}


class HealthyGrpc:
    """test.Echo/Say, and a health service."""

    def __init__(self, name, identity=None):
        self.name, self.calls = name, 0
        self.health = health.HealthServicer()
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
            "test.Echo", {"Say": grpc.unary_unary_rpc_method_handler(self.say)})])
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        self.set(SERVING)
        if identity:
            with open(identity.key, "rb") as key, open(identity.certificate, "rb") as certificate:
                port = self.server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key.read(), certificate.read())]))
        else:
            port = self.server.add_insecure_port("127.0.0.1:0")
        self.address = ("127.0.0.1", port)
        self.server.start()

    def set(self, state):
        self.health.set("test.Echo", state)

    def say(self, request, context):
        self.calls += 1
        return self.name.encode()

    def close(self):
        self.server.stop(0).wait()


class HealthyHttp(ThreadingHTTPServer):
    """/up answers `status`; all else 200."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.calls, self.hosts = 200, 0, set()
        self.address = self.server_address
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        check = self.path == "/up"
        if check:
            self.server.hosts.add(self.headers["Host"])
        else:
            self.server.calls += 1
        self.send_response(self.server.status if check else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(name="pair", params=["grpc", "http"])
def make_pair(request, mesh):
    """Two endpoints that can be well or ill, and a weft that checks them: (endpoints, weft, set, call)."""
    if request.param == "grpc":
        ends = [HealthyGrpc("a"), HealthyGrpc("b")]
        mesh.service("test.Echo", *[end.address for end in ends])
        router = {**mesh.router(identifier={"kind": "io.l5d.header.path", "segments": 1},
                                client={"healthCheck": {"kind": "io.l5d.grpc", "service": "test.Echo", **FAST}}), "protocol": "h2"}
        weft = mesh.weft(mesh.config(router))
        with channel(weft) as made:
            yield ends, weft, lambda end, well: end.set(SERVING if well else NOT_SERVING), lambda: unary(made, "Say")(b"", timeout=5), "test.Echo"
    else:
        ends = [HealthyHttp(), HealthyHttp()]
        mesh.service("web", *[end.address for end in ends])
        weft = mesh.weft(mesh.config(mesh.router(client={"healthCheck": {"kind": "io.l5d.http", "path": "/up", "host": "checked", **FAST}})))

        def call():
            connection = http.client.HTTPConnection(*weft.address(), timeout=5)
            connection.request("GET", "/", headers={"Host": "web"})
            assert connection.getresponse().status == 200
            connection.close()

        yield ends, weft, lambda end, well: setattr(end, "status", 200 if well else 503), call, "web"
    for end in ends:
        end.close()


def calls_of(ends, call, count=40):
    before = [end.calls for end in ends]
    for _ in range(count):
        call()
    return [end.calls - was for end, was in zip(ends, before)]


def test_an_endpoint_that_says_that_it_is_ill_gets_no_requests(pair):
    ends, weft, be, call, name = pair
    scope = CLIENT + name
    assert min(calls_of(ends, call)) > 0
    wait_until(lambda: weft.metric(scope + "/health_check/success") >= 4)
    be(ends[1], False)
    wait_until(lambda: weft.metric(scope + "/health_check/removals") == 1)
    assert calls_of(ends, call) == [40, 0]
    be(ends[1], True)
    wait_until(lambda: weft.metric(scope + "/health_check/revivals") == 1)
    assert min(calls_of(ends, call)) > 0
    assert weft.metric(scope + "/requests") == 120, "checks are no requests"
    assert weft.metric(scope + "/failures") == 0
    if name == "web":
        assert ends[0].hosts == {"checked"}
    log = weft.stderr
    assert "of /#/io.l5d.fs/" + name + " fails its health checks (" in log
    assert "passes its health checks again" in log


def test_an_endpoint_that_is_gone_is_noticed_without_a_request(pair):
    ends, weft, _, call, name = pair
    assert min(calls_of(ends, call)) > 0
    wait_until(lambda: weft.metric(CLIENT + name + "/health_check/success") >= 4)
    ends[1].close()
    wait_until(lambda: weft.metric(CLIENT + name + "/health_check/removals") == 1)
    assert weft.metric(CLIENT + name + "/health_check/network_failure") >= 2
    assert calls_of(ends[:1], call) == [40]
    assert weft.metric(CLIENT + name + "/failures") == 0


def test_checks_go_the_way_of_requests_over_tls(mesh, tmp_path):
    authority = Authority(tmp_path)
    ends = [HealthyGrpc("good", authority.issue("good", dns=["checked"])), HealthyGrpc("bad", authority.issue("bad", dns=["other"]))]
    mesh.service("test.Echo", *[end.address for end in ends])
    client = {"tls": {"commonName": "checked", "trustCerts": [authority.bundle]},
              "healthCheck": {"kind": "io.l5d.grpc", "service": "test.Echo", **FAST}}
    weft = mesh.weft(mesh.config({**mesh.router(identifier={"kind": "io.l5d.header.path", "segments": 1}, client=client), "protocol": "h2"}))
    with channel(weft) as made:
        unary(made, "Say").future(b"", timeout=5).exception()   # whichever it meets
        # The one with another name in its certificate is no endpoint, and no request has to find that out.
        wait_until(lambda: weft.metric(CLIENT + "test.Echo/health_check/removals") == 1)
        assert calls_of(ends, lambda: unary(made, "Say")(b"", timeout=5)) == [40, 0]
    for end in ends:
        end.close()
