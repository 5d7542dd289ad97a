# SPDX-License-Identifier: Apache-2.0
"""gRPC through one weft and through two, with grpcio at both ends."""

import contextlib
import signal
import socket
import threading
import time

import grpc
import h2.errors
import pytest
from grpc_service import DETAILS, GrpcServer, channel, grpc_process, unary, unary_stream
from http2 import Http2Client, Http2Origin
from mesh import wait_until

IDENTIFIER = {"kind": "io.l5d.header.path", "segments": 1}


def classifier(kind, **keys):
    return {"responseClassifier": {"kind": f"io.l5d.h2.grpc.{kind}", **keys}}


@pytest.fixture(name="serve")
def make_server(mesh):
    """Servers of test.Echo, which end with the test."""
    servers = []

    def serve(*plans, **options):
        servers.extend(GrpcServer(f"server-{i}", plan, **options) for i, plan in enumerate(plans or [()]))
        mesh.service("test.Echo", *[server.address for server in servers])
        return servers

    yield serve
    for server in servers:
        server.close()


def h2_router(mesh, **keys):
    return {**mesh.router(**{"identifier": IDENTIFIER, **keys}), "protocol": "h2"}


@pytest.fixture(name="way", params=["one", "two"])
def make_way(mesh, request):
    """Through how many proxies: gives a function that starts them and returns the first."""

    def start(**keys):
        weft = mesh.weft(mesh.config(h2_router(mesh, **keys)))
        if request.param == "one":
            return weft
        mesh.service("next", weft.address())
        return mesh.weft(mesh.config(h2_router(mesh, dtab="/svc => /#/io.l5d.fs/next", **{k: v for k, v in keys.items() if k != "dtab"})))

    return start


def test_the_four_kinds_of_calls(way, serve):
    serve()
    with channel(way()) as made:
        assert unary(made, "Say")(b"hello", timeout=10) == b"server-0: hello"
        assert list(unary_stream(made, "Count")(b"500", timeout=10)) == [b"%d" % i for i in range(500)]
        assert made.stream_unary("/test.Echo/Gather")(iter([b"a", b"b", b"c"]), timeout=10) == b"a+b+c"
        assert list(made.stream_stream("/test.Echo/Chat")(iter([b"x", b"yy"]), timeout=10)) == [b"X", b"YY"]


def test_a_chat_goes_back_and_forth(way, serve):
    serve()
    waiting = []

    def questions():
        for i in range(50):
            wait_until(lambda i=i: len(waiting) == i, "the answer before")
            yield b"q%d" % i

    with channel(way(service=classifier("default"))) as made:
        for answer in made.stream_stream("/test.Echo/Chat")(questions(), timeout=20):
            waiting.append(answer)
    assert waiting == [b"Q%d" % i for i in range(50)]


def test_large_messages(way, serve):
    serve()
    with channel(way(), ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)) as made:
        message = bytes(range(256)) * 12000
        assert unary(made, "Say")(message, timeout=20) == b"server-0: " + message


@pytest.mark.parametrize("status", [1, 3, 5, 8, 13, 16])
def test_status_message_and_details(way, serve, status):
    serve()
    with channel(way()) as made:
        with pytest.raises(grpc.RpcError) as error:
            unary(made, "Fail")(b"%d" % status, timeout=10)
        assert error.value.code().value[0] == status
        assert error.value.details() == "no: 50% \n ä"
        assert dict(error.value.trailing_metadata())[DETAILS] == b"\x08\x05 details \xff"


def test_a_status_behind_messages(way, serve):
    serve()
    with channel(way(service=classifier("alwaysRetryable"))) as made:
        call = unary_stream(made, "FailLate")(b"x" * 20000, timeout=10)   # more than is held back
        got = []
        with pytest.raises(grpc.RpcError) as error:
            for message in call:
                got.append(message)
        assert got == [b"first", b"x" * 20000]
        assert error.value.code() == grpc.StatusCode.DATA_LOSS


def test_metadata_both_ways(way, serve):
    server, = serve()
    with channel(way()) as made:
        answer, call = unary(made, "Say").with_call(b"hello", timeout=10, metadata=[("x-asked-bin", b"\x01\x02\xff"), ("x-asked", "yes")])
        assert answer == b"server-0: hello"
        assert dict(call.initial_metadata())["x-initial-bin"] == b"\x00\xff\x01"
        assert dict(call.trailing_metadata())["x-trailing-bin"] == b"\x01\x02\xff\x00\xfe"
    seen = server.seen[0][1]
    assert seen["x-asked-bin"] == b"\x01\x02\xff" and seen["x-asked"] == "yes"
    assert seen["l5d-dst-service"] == "/svc/test.Echo"


def test_a_retryable_status_is_retried(way, serve):
    first, second = serve([grpc.StatusCode.UNAVAILABLE] * 3, [grpc.StatusCode.UNAVAILABLE])
    with channel(way(service=classifier("default"))) as made:
        for _ in range(10):
            assert unary(made, "Say")(b"hello", timeout=10).endswith(b": hello")
    assert len(first.seen) + len(second.seen) >= 12


def test_other_statuses_are_not(way, serve):
    server, = serve([grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE])
    weft = way(service=classifier("retryableStatusCodes", retryableStatusCodes=[8]))
    with channel(weft) as made:
        for status in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE):
            with pytest.raises(grpc.RpcError) as error:
                unary(made, "Say")(b"hello", timeout=10)
            assert error.value.code() == status and error.value.details() == "as planned"
        assert len(server.seen) == 2
    assert weft.metric("rt/out/service/svc/test.Echo/failures") == 2
    assert weft.metric("rt/out/service/svc/test.Echo/stream_failures") == 2
    wait_until(lambda: weft.metric("rt/out/method/test.Echo/Say/grpc_status/14") == 1, "the method's counters")
    assert weft.metric("rt/out/method/test.Echo/Say/requests") == 2


def test_a_deadline_shrinks_and_cancels(way, serve):
    server, = serve()
    with channel(way()) as made:
        begin = time.monotonic()
        with pytest.raises(grpc.RpcError) as error:
            unary(made, "Hang")(b"hello", timeout=0.7)
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert 0.6 < time.monotonic() - begin < 5
        assert server.canceled.wait(10)
    left = server.seen[0][2]
    # gRPC counts in whole milliseconds, and rounds up at both ends.
    assert left is not None and 0 < left < 0.7 + 0.002


def test_a_deadline_ends_a_stream(way, serve):
    server, = serve()
    with channel(way()) as made:
        with pytest.raises(grpc.RpcError) as error:
            for _ in unary_stream(made, "Drip")(b"drop", timeout=0.7):
                pass
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert server.canceled.wait(10)


@pytest.mark.parametrize("begun", [False, True])
def test_a_server_that_ends_a_call_at_its_deadline(mesh, begun):
    """As Go's servers do, by their own clock: it has no other reason for the caller, also where the proxy learns of it first."""

    def begin(connection, exchange):
        with connection.lock:
            connection.h2.send_headers(exchange.stream, [(":status", "200"), ("content-type", "application/grpc")])

    origin = Http2Origin(begin if begun else lambda *_: None)
    mesh.service("test.Echo", origin.address)
    weft = mesh.weft(mesh.config(h2_router(mesh)))
    fields = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "500m")]
    with Http2Client(weft.address()) as client:
        call = client.start("localhost", "POST", "/test.Echo/Say", fields, b"\0\0\0\0\0")
        wait_until(lambda: origin.requests and origin.requests[0].ended, "the call at the server")
        weft.signal(signal.SIGSTOP)
        time.sleep(0.6)
        connection, = origin.connections
        with connection.lock:
            connection.h2.reset_stream(origin.requests[0].stream, h2.errors.ErrorCodes.CANCEL)
            connection.flush()
        weft.signal(signal.SIGCONT)
        client.wait(call)
    assert (dict(call.trailers)["grpc-status"] if begun else call.header("grpc-status")) == "4"
    origin.close()


@pytest.mark.parametrize("method", ["Hang", "Drip"])
def test_a_caller_that_cancels_is_heard(way, serve, method):
    server, = serve()
    with channel(way(service=classifier("default"))) as made:
        call = unary_stream(made, method)(b"hello", timeout=20)
        wait_until(lambda: server.seen, "the call at the server")
        call.cancel()
        assert server.canceled.wait(10)


def test_the_proxys_own_answers(mesh, way):
    mesh.service("test.Dead", ("127.0.0.1", 1))
    weft = way()
    with channel(weft) as made:
        for method, status in (("/test.Nowhere/Say", grpc.StatusCode.UNAVAILABLE), ("/test.Dead/Say", grpc.StatusCode.UNAVAILABLE)):
            with pytest.raises(grpc.RpcError) as error:
                made.unary_unary(method)(b"hello", timeout=10)
            assert error.value.code() == status
            assert "l5d-err" in dict(error.value.initial_metadata() or ()) | dict(error.value.trailing_metadata() or ())


@pytest.mark.parametrize("metadata, status", [
    (("l5d-dtab", "/a =>"), grpc.StatusCode.INTERNAL),
    (("l5d-ctx-dtab", "nonsense"), grpc.StatusCode.INTERNAL),
    (("via", ", ".join(["1.1 a"] * 11)), grpc.StatusCode.INTERNAL),
])
def test_calls_that_the_proxy_refuses(mesh, serve, metadata, status):
    server, = serve()
    with channel(mesh.weft(mesh.config(h2_router(mesh)))) as made:
        with pytest.raises(grpc.RpcError) as error:
            unary(made, "Say")(b"hello", timeout=10, metadata=[metadata])
        assert error.value.code() == status
        assert error.value.details() and "HTTP" not in error.value.details(), "it comes as gRPC's status"
        assert not server.seen


def test_more_calls_than_the_server_takes(mesh, serve):
    server, = serve()
    with channel(mesh.weft(mesh.config(h2_router(mesh, server={"maxConcurrentRequests": 1})))) as made:
        first = unary(made, "Hang").future(b"hello", timeout=20)
        wait_until(lambda: server.seen)
        with pytest.raises(grpc.RpcError) as error:
            unary(made, "Say")(b"hello", timeout=10)
        assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.value.details() == "too many concurrent requests"
        server.canceled.set()
        assert first.result() == b"hello"


def test_many_calls_share_few_connections(mesh):
    weft = mesh.weft(mesh.config(h2_router(mesh)))
    with grpc_process("apart") as address:
        mesh.service("test.Echo", address)
        with channel(weft) as made:
            say = unary(made, "Say")
            calls = [say.future(b"%d" % i, timeout=20) for i in range(300)]
            assert sorted(call.result() for call in calls) == sorted(b"apart: %d" % i for i in range(300))
    assert weft.metric("client/#/io.l5d.fs/test.Echo/connects") <= 4
    assert weft.metric("client/#/io.l5d.fs/test.Echo/requests") == 300, "none was tried twice"


def test_an_endpoint_that_leaves_gracefully_loses_no_call(mesh, serve):
    first, second = serve((), ())
    weft = mesh.weft(mesh.config(h2_router(mesh)))
    with channel(weft) as made:
        say = unary(made, "Say")
        for i in range(20):
            say(b"%d" % i, timeout=10)
        stopping = first.server.stop(10)
        for i in range(100):
            assert say(b"%d" % i, timeout=10).endswith(b": %d" % i)
        stopping.wait()
    assert len(first.seen) + len(second.seen) == 120


def test_an_endpoint_that_ends_before_its_settings_has_processed_nothing(mesh, serve):
    """As one whose listening socket has just been closed: connections are accepted, and end. Calls go elsewhere, though they aren't idempotent."""
    server, = serve()
    ended, over = [], threading.Event()

    def end_all(listening):
        with contextlib.suppress(OSError):
            while not over.is_set():
                listening.accept()[0].close()
                ended.append(True)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        ending = threading.Thread(target=end_all, args=(listening,))
        ending.start()
        mesh.service("test.Echo", server.address, listening.getsockname())
        weft = mesh.weft(mesh.config(h2_router(mesh, client={"failureAccrual": {"kind": "none"}, "loadBalancer": {"kind": "roundRobin"}})))
        with channel(weft) as made:
            say = unary(made, "Say")
            for i in range(20):
                assert say(b"%d" % i, timeout=10) == b"server-0: %d" % i
        assert ended
        assert weft.metric("client/#/io.l5d.fs/test.Echo/service_creation/failures") == len(ended)
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        ending.join()


def test_no_more_streams_than_the_endpoint_takes(mesh, serve):
    """Of a server that takes four at a time, another connection is opened for the fifth."""
    server, = serve(options=[("grpc.max_concurrent_streams", 4)])
    weft = mesh.weft(mesh.config(h2_router(mesh)))
    with channel(weft) as made:
        calls = [unary(made, "Hang").future(b"%d" % i, timeout=20) for i in range(18)]
        wait_until(lambda: len(server.seen) == 18, "all calls at the server at once")
        assert weft.metric("client/#/io.l5d.fs/test.Echo/connections") >= 5
        server.canceled.set()
        assert [call.result() for call in calls] == [b"%d" % i for i in range(18)]


def test_connections_that_have_lived_long_are_replaced_without_losing_a_call(mesh, serve):
    serve()
    weft = mesh.weft(mesh.config(h2_router(mesh, client={"clientSession": {"lifeTimeMs": 200}})))
    with channel(weft) as made:
        slow = unary_stream(made, "Drip")(b"drop", timeout=30)   # outlives its connection's age
        next(slow)
        say, count = unary(made, "Say"), 0
        while weft.metric("client/#/io.l5d.fs/test.Echo/connects") < 6:
            assert say(b"x", timeout=10) == b"server-0: x"
            count += 1
            assert next(slow) == b"drop"
        slow.cancel()
    assert weft.metric("rt/out/service/svc/test.Echo/failures") <= 1   # the one that was cancelled


def test_http_requests_cross_versions(mesh):
    """HTTP/1.1 to a proxy, HTTP/2 to the next, HTTP/1.1 to the origin: what is sent arrives, and so does the answer."""
    def echo(call):
        call.answer(201, call.message.body, headers=[("X-Length", str(len(call.message.body)))])

    origin = mesh.origin(echo)
    mesh.service("web", origin)
    inner = mesh.weft(mesh.config({**mesh.router(client={"protocol": "http"}), "protocol": "h2"}))
    mesh.service("next", inner.address())
    outer = mesh.weft(mesh.config(mesh.router(dtab="/svc => /#/io.l5d.fs/next", client={"protocol": "h2"})))
    client = mesh.client(outer)
    for body in (b"", b"x", bytes(range(256)) * 300):
        for options in ({"body": body}, {"chunks": [body] if body else []}):
            response = client.request("POST", "web", target="/a?b=c", headers={"X-Asked": "yes"}, **options)
            assert (response.status, response.body) == (201, body)
            assert response.header("x-length") == str(len(body))
            assert origin.last.target == b"/a?b=c" and origin.last.header("x-asked") == "yes"
    assert client.get("nowhere").status == 502
    assert inner.metric("client/#/io.l5d.fs/web/connects") == 1 and outer.metric("connects") >= 1
