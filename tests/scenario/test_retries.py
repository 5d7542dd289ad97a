# SPDX-License-Identifier: Apache-2.0
"""Retries within a budget, requeues, failure accrual, balancers and connection pools, as their users see them."""

import socket
import threading
import time

import pytest

from client import CutShort, request_bytes
from mesh import PATIENCE, wait_until

READ, IDEMPOTENT, ALL = ({"kind": f"io.l5d.http.retryable{which}5XX"} for which in ("Read", "Idempotent", "All"))
NEVER = {"kind": "io.l5d.http.nonRetryable5XX"}
CLIENT = "client/#/io.l5d.fs/web/"
SERVICE = "out/service/svc/web/"
NO_ACCRUAL = {"failureAccrual": {"kind": "none"}}


def failing_first(times=1, status=500, headers=()):
    """The first requests fail."""
    return lambda call: call.answer(status if call.number < times else 200, body=call.message.body, headers=headers if call.number < times else ())


def closed_address():
    """Nobody listens there: bound while the test runs, so that nobody else gets it."""
    probe = socket.socket()
    probe.bind(("127.0.0.1", 0))
    return probe, probe.getsockname()


def start(mesh, handler=None, **router):
    origin = mesh.origin(handler)
    mesh.service("web", origin)
    weft = mesh.weft(**router)
    return origin, weft, mesh.client(weft)


# ---- what is retried ----

@pytest.mark.parametrize("classifier, retried", [
    (READ, {"GET", "HEAD", "OPTIONS", "TRACE"}),
    (IDEMPOTENT, {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}),
    (ALL, {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH"}),
    (NEVER, set()),
], ids=["read", "idempotent", "all", "never"])
def test_what_is_retried(mesh, classifier, retried):
    failed = set()

    def handler(call):
        again = call.message.target in failed
        failed.add(call.message.target)
        call.answer(200 if again else 500)

    origin, weft, client = start(mesh, handler, service={"responseClassifier": classifier}, client=NO_ACCRUAL)
    methods = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "PURGE"]
    for method in methods:
        status = client.request(method, "web", target=f"/{method}").status
        assert status == (200 if method in retried else 500), method
    assert len(origin.requests) == len(methods) + len(retried)
    wait_until(lambda: weft.metric(SERVICE + "requests") == len(methods), "the requests")
    assert weft.metric(SERVICE + "retries/total") == len(retried)
    assert weft.metric(CLIENT + "requests") == len(methods) + len(retried)
    assert weft.metric(SERVICE + "success") == len(retried)


@pytest.mark.parametrize("length", [0, 1, 1000, 5 * 1024])
def test_small_bodies_are_sent_again_byte_for_byte(mesh, length):
    body = bytes(i * 7 % 256 for i in range(length))
    origin, _, client = start(mesh, failing_first(), service={"responseClassifier": ALL})
    response = client.request("POST", "web", body=body, headers={"X-Kept": "1"})
    assert (response.status, response.body) == (200, body)
    assert [message.body for message in origin.requests] == [body, body]
    assert [message.header("content-length") for message in origin.requests] == [str(length)] * 2
    assert [message.header("x-kept") for message in origin.requests] == ["1", "1"]
    first, second = (dict(message.raw_headers) for message in origin.requests)
    assert {name: value for name, value in first.items() if name != b"l5d-ctx-trace"} == \
        {name: value for name, value in second.items() if name != b"l5d-ctx-trace"}


def test_body_in_pieces_is_sent_again(mesh):
    """The first attempt fails while half of the body is still to come."""
    bodies, seen = [], threading.Event()

    def connected(peer):
        if len(origin.peers) == 1:
            head = peer.read_head()
            assert b"POST" in head
            peer.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            seen.set()
            while peer.receive():
                pass
            return
        bodies.append(peer.read().body)
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        peer.receive()

    origin = mesh.origin(connected=connected)
    mesh.service("web", origin)
    client = mesh.client(mesh.weft(service={"responseClassifier": ALL}))
    client.send(request_bytes("POST", host="web", headers={"Content-Length": "10"}) + b"01234")
    wait_until(lambda: seen.is_set() and len(origin.peers) == 2, "the second attempt")
    client.send(b"56789")
    assert client.response("POST").status == 200
    assert bodies == [b"0123456789"]


def test_request_that_expects_continue_is_retried_before_its_body(mesh):
    """The first attempt fails at once; the caller is asked for the body only by the second."""
    bodies = []

    def connected(peer):
        peer.read_head()
        if len(origin.peers) == 1:
            peer.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            assert peer.receive() == b""
            return
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        bodies.append(peer.receive())
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        peer.receive()

    origin = mesh.origin(connected=connected)
    mesh.service("web", origin)
    client = mesh.client(mesh.weft(service={"responseClassifier": ALL}))
    client.send(request_bytes("PUT", host="web", headers={"Expect": "100-continue", "Content-Length": "5"}))
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += client.receive()
    assert seen.startswith(b"HTTP/1.1 100 ")
    client.send(b"hello")
    assert client.response("PUT").status == 200
    assert bodies == [b"hello"]


@pytest.mark.parametrize("options", [{"chunks": [b"hello"]}, {"body": b"x" * 200000}], ids=["chunked", "large"])
def test_what_can_not_be_sent_again_is_not(mesh, options):
    origin, weft, client = start(mesh, failing_first(), service={"responseClassifier": ALL})
    assert client.request("POST", "web", **options).status == 500
    assert len(origin.requests) == 1
    assert weft.metric(SERVICE + "retries/total") == 0


def test_marked_failures_are_retried_for_any_method(mesh):
    origin, _, client = start(mesh, failing_first(headers=[("l5d-retryable", "true")]), service={"responseClassifier": NEVER})
    response = client.request("POST", "web", body=b"hello")
    assert (response.status, response.body) == (200, b"hello")
    assert len(origin.requests) == 2


def test_mark_does_not_make_a_success_fail(mesh):
    origin, _, client = start(mesh, lambda call: call.answer(404, headers=[("l5d-retryable", "true")]), service={"responseClassifier": ALL})
    assert client.get("web").status == 404
    assert len(origin.requests) == 1


def test_nothing_is_retried_once_the_response_has_begun(mesh):
    def handler(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
        call.close()

    origin, weft, client = start(mesh, handler, service={"responseClassifier": ALL})
    with pytest.raises(CutShort):
        client.get("web")
    wait_until(lambda: weft.metric(SERVICE + "failures") == 1, "the failure")
    assert len(origin.requests) == 1
    assert weft.metric(SERVICE + "retries/total") == 0


@pytest.mark.alone
def test_timeouts_and_closed_connections_are_retried(mesh):
    def handler(call):
        if call.number == 0:
            call.close()
        elif call.number == 1:
            while call.peer.receive():
                pass
        elif call.number == 2:
            call.send(b"no HTTP at all\r\n\r\n")
            call.close()
        else:
            call.answer(body=b"at last")

    origin, weft, client = start(mesh, handler, service={"responseClassifier": READ}, client={"requestAttemptTimeoutMs": 100, **NO_ACCRUAL})
    assert client.get("web").text == "at last"
    assert len(origin.requests) == 4
    assert weft.metric(SERVICE + "retries/total") == 3
    for exception in ("ChannelClosedException", "IndividualRequestTimeoutException", "CodecException"):
        assert weft.metric(CLIENT + "failures/com.twitter.finagle." + exception) == 1


def test_total_timeout_ends_all_retries(mesh):
    origin, _, client = start(mesh, lambda call: call.answer(500), client=NO_ACCRUAL, service={
        "responseClassifier": READ, "totalTimeoutMs": 300, "retries": {"backoff": {"kind": "constant", "ms": 50}}})
    response = client.get("web")
    assert response.status in (500, 503)
    assert response.status == 503
    assert 2 <= len(origin.requests) <= 7


def test_backoff(mesh):
    times = []

    def handler(call):
        times.append(time.monotonic())
        call.answer(500 if call.number < 3 else 200)

    _, _, client = start(mesh, handler, service={"responseClassifier": READ, "retries": {"backoff": {"kind": "constant", "ms": 60}}})
    assert client.get("web").status == 200
    assert all(later - earlier >= 0.055 for earlier, later in zip(times, times[1:]))


# ---- budgets ----

@pytest.mark.parametrize("threads", [1, 4])
def test_reserve_of_the_budget(mesh, threads):
    """Five retries in all, for the process: however many workers there are."""
    def handler(call):
        call.answer(500)

    origin, weft, _ = start(mesh, handler, threads=threads, client=NO_ACCRUAL, service={
        "responseClassifier": READ, "retries": {"budget": {"minRetriesPerSec": 1, "percentCanRetry": 0.0, "ttlSecs": 5}}})
    clients = [mesh.client(weft) for _ in range(8)]
    for client in clients:
        assert client.get("web").status == 500
    assert len(origin.requests) == 8 + 5
    wait_until(lambda: weft.metric(SERVICE + "failures") == 8, "the requests")
    assert weft.metric(SERVICE + "retries/total") == 5
    assert weft.metric(SERVICE + "retries/budget_exhausted") == 8
    assert weft.metric(SERVICE + "retries/budget") == 0


def test_requests_earn_retries(mesh):
    """A quarter of the requests may be retried; nothing else."""
    failing = []

    def handler(call):
        call.answer(500 if failing else 200)

    origin, weft, client = start(mesh, handler, client=NO_ACCRUAL, service={
        "responseClassifier": READ, "retries": {"budget": {"minRetriesPerSec": 0, "percentCanRetry": 0.25, "ttlSecs": 60}}})
    for _ in range(80):
        assert client.get("web").status == 200
    failing.append(True)
    for _ in range(40):
        assert client.get("web").status == 500
    assert len(origin.requests) - 120 == (80 + 40) // 4
    assert weft.metric(SERVICE + "retries/total") == 30


# ---- requeues: requests that nobody has seen ----

def test_connect_failures_move_to_another_endpoint(mesh):
    probe, dead = closed_address()
    origin = mesh.origin(lambda call: call.answer(body=call.message.body))
    mesh.service("web", dead, origin)
    weft = mesh.weft(client=NO_ACCRUAL)
    for i in range(40):
        with mesh.client(weft) as client:
            response = client.request("POST", "web", body=b"%d" % i) if i % 2 else client.get("web")
            assert response.status == 200
    assert len(origin.requests) == 40
    assert weft.metric(CLIENT + "retries/requeues") >= 1
    assert weft.metric(CLIENT + "retries/requeues") == weft.metric(CLIENT + "failures/com.twitter.finagle.ConnectionFailedException")
    probe.close()


def test_connection_closed_between_requests_is_never_seen(mesh):
    """However the origin's end and the next request cross each other."""
    def handler(call):
        call.answer(body=b"ok")
        if call.number % 2 == 0:
            call.close()

    origin, weft, client = start(mesh, handler)
    for _ in range(300):
        assert client.get("web").text == "ok"
    assert len(origin.requests) == 300
    assert weft.metric(SERVICE + "failures") == 0


def test_connection_that_dies_under_the_next_request(mesh):
    """Read, but not answered: an idempotent request goes to a new connection, a POST may have been acted upon."""
    def connected(peer):
        peer.read()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        peer.read()
        peer.close()

    origin = mesh.origin(connected=connected)
    mesh.service("web", origin)
    weft = mesh.weft()
    client = mesh.client(weft)
    for _ in range(6):
        assert client.get("web").text == "ok"
    assert client.request("POST", "web", body=b"once").status == 502
    assert origin.received.count(b"once") == 1


def test_post_after_the_origin_closed_its_idle_connection(mesh):
    def handler(call):
        call.answer(body=call.message.body)
        call.close()

    origin, weft, client = start(mesh, handler)
    for i in range(5):
        response = client.request("POST", "web", body=b"number %d" % i)
        assert (response.status, response.body) == (200, b"number %d" % i)
        wait_until(lambda: weft.metric(CLIENT + "connections") == 0, "weft to see the end")
    assert len(origin.requests) == 5


# ---- failure accrual ----

def accrual(ms, failures=5, balancer="roundRobin"):
    return {"loadBalancer": {"kind": balancer}, "failureAccrual": {
        "kind": "io.l5d.consecutiveFailures", "failures": failures, "backoff": {"kind": "constant", "ms": ms}}}


@pytest.mark.parametrize("threads", [1, 4])
def test_failing_endpoint_is_taken_out(mesh, threads):
    bad, good = mesh.origin(status=500), mesh.origin()
    mesh.service("web", bad, good)
    weft = mesh.weft(threads=threads, client=accrual(60000))
    clients = [mesh.client(weft) for _ in range(8)]
    for i in range(80):
        clients[i % 8].get("web")
    assert len(bad.requests) == 5
    assert len(good.requests) == 75
    assert weft.metric(CLIENT + "failure_accrual/removals") == 1
    wait_until(lambda: weft.metric(CLIENT + "loadbalancer/available") == 1, "the gauge")
    assert weft.metric(CLIENT + "loadbalancer/size") == 2


def test_probation_keeps_what_discovery_takes_away(mesh):
    stays, leaves = mesh.origin(), mesh.origin()
    mesh.service("web", stays, leaves)
    client = accrual(60000, failures=2)
    client["loadBalancer"]["enableProbation"] = True
    weft = mesh.weft(client=client)
    caller = mesh.client(weft)
    assert [caller.get("web").status for _ in range(4)] == [200] * 4
    updates = weft.metric(CLIENT + "loadbalancer/updates")

    mesh.service("web", stays)
    wait_until(lambda: weft.metric(CLIENT + "loadbalancer/updates") > updates, "the change")
    before = len(leaves.requests)
    assert [caller.get("web").status for _ in range(6)] == [200] * 6
    assert len(leaves.requests) - before == 3
    assert weft.metric(CLIENT + "loadbalancer/size") == 2

    leaves.handler = lambda call: call.answer(500)
    wait_until(lambda: caller.get("web").status and weft.metric(CLIENT + "loadbalancer/size") == 1, "the end of its probation")
    before = len(leaves.requests)
    assert [caller.get("web").status for _ in range(6)] == [200] * 6
    assert len(leaves.requests) == before


def test_success_in_between_resets_the_count(mesh):
    flaky, good = mesh.origin(lambda call: call.answer(200 if call.number % 5 == 4 else 500)), mesh.origin()
    mesh.service("web", flaky, good)
    weft = mesh.weft(client=accrual(60000))
    client = mesh.client(weft)
    for _ in range(60):
        client.get("web")
    assert len(flaky.requests) == 30
    assert weft.metric(CLIENT + "failure_accrual/removals") == 0


def test_endpoint_comes_back_after_a_probe(mesh):
    broken = [True]
    flaky, good = mesh.origin(lambda call: call.answer(500 if broken else 200, b"flaky")), mesh.origin()
    mesh.service("web", flaky, good)
    weft = mesh.weft(client=accrual(200))
    client = mesh.client(weft)
    for _ in range(10):
        client.get("web")
    assert len(flaky.requests) == 5
    wait_until(lambda: client.get("web").status == 500, "a probe that fails")
    before = len(flaky.requests)
    assert before == 6
    for _ in range(10):
        assert client.get("web").status == 200
    broken.clear()
    wait_until(lambda: client.get("web").text == "flaky", "a probe that succeeds")
    counts = len(flaky.requests), len(good.requests)
    for _ in range(20):
        client.get("web")
    assert (len(flaky.requests) - counts[0], len(good.requests) - counts[1]) == (10, 10)
    assert weft.metric(CLIENT + "failure_accrual/revivals") == 1
    assert weft.metric(CLIENT + "failure_accrual/probes") >= 2


def test_when_all_are_out_one_is_asked_all_the_same(mesh):
    origin = mesh.origin(status=503)
    mesh.service("web", origin)
    client = mesh.client(mesh.weft(client=accrual(60000)))
    for _ in range(12):
        assert client.get("web").status == 503
    assert len(origin.requests) == 12


def test_connect_failures_accrue(mesh):
    probe, dead = closed_address()
    origin = mesh.origin()
    mesh.service("web", dead, origin)
    weft = mesh.weft(client=accrual(60000))
    client = mesh.client(weft)
    for _ in range(40):
        assert client.get("web").status == 200
    assert weft.metric(CLIENT + "failure_accrual/removals") == 1
    assert weft.metric(CLIENT + "failures/com.twitter.finagle.ConnectionFailedException") == 5
    probe.close()


def test_health_survives_a_change_of_the_directory(mesh):
    bad, good, late = mesh.origin(status=500), mesh.origin(), mesh.origin()
    mesh.service("web", bad, good)
    weft = mesh.weft(client=accrual(60000))
    client = mesh.client(weft)
    for _ in range(12):
        client.get("web")
    assert len(bad.requests) == 5
    mesh.service("web", bad, good, late)
    wait_until(lambda: client.get("web").text == str(late.port), "the new endpoint")
    for _ in range(12):
        client.get("web")
    assert len(bad.requests) == 5


def test_a_caller_that_leaves_is_no_failure_of_the_endpoint(mesh):
    def handler(call):
        if call.message.target == b"/hold":
            while call.peer.receive():
                pass
        else:
            call.answer(body=b"ok")

    origin, weft, client = start(mesh, handler, client=accrual(60000))
    for i in range(8):
        leaver = mesh.client(weft)
        leaver.send_request("GET", "/hold", "web")
        wait_until(lambda wanted=i + 1: len(origin.requests) == wanted, "the request")
        leaver.reset()  # an orderly end could be that of a caller who still wants the answer
    wait_until(lambda: weft.metric("pending") == 0, "the ends")
    assert weft.metric(CLIENT + "failure_accrual/removals") == 0
    assert client.get("web").text == "ok"


# ---- balancers ----

def test_round_robin(mesh):
    origins = [mesh.origin() for _ in range(3)]
    mesh.service("web", *origins)
    client = mesh.client(mesh.weft(client={"loadBalancer": {"kind": "roundRobin"}}))
    for _ in range(30):
        client.get("web")
    assert [len(origin.requests) for origin in origins] == [10, 10, 10]


def test_equal_endpoints_get_equal_shares(mesh):
    origins = [mesh.origin() for _ in range(3)]
    mesh.service("web", *origins)
    client = mesh.client(mesh.weft(client={"loadBalancer": {"kind": "p2c"}}))
    client.send(request_bytes(host="web") * 600)
    for _ in range(600):
        assert client.response().status == 200
    assert all(len(origin.requests) > 100 for origin in origins)


@pytest.mark.parametrize("kind", ["p2c", "ewma"])
def test_busy_endpoints_get_less(mesh, kind):
    """One endpoint answers late: the others get nearly all."""
    def late(call):
        threading.Event().wait(0.1)
        call.answer()

    origins = [mesh.origin(late), mesh.origin(), mesh.origin()]
    mesh.service("web", *origins)
    weft = mesh.weft(client={"loadBalancer": {"kind": kind}})

    def load():
        with mesh.client(weft) as client:
            for _ in range(60):
                assert client.get("web").status == 200

    threads = [threading.Thread(target=load) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    counts = [len(origin.requests) for origin in origins]
    assert sum(counts) == 360
    assert counts[0] < min(counts[1:]) / 2, counts


# ---- connections ----

def test_pool_of_one_connection(mesh):
    release = threading.Event()

    def handler(call):
        assert release.wait(PATIENCE)
        call.answer(body=call.message.target)

    origin, weft, _ = start(mesh, handler, client={"hostConnectionPool": {"maxSize": 1, "maxWaiters": 3}})
    clients = [mesh.client(weft) for _ in range(6)]
    for i, client in enumerate(clients):
        client.send_request("GET", f"/{i}", "web")
        wanted = min(i, 3)
        wait_until(lambda: weft.metric(CLIENT + "pool_waiters") == wanted, "the waiters")
        wait_until(lambda number=i + 1: weft.metric("out/server/127.0.0.1/%d/requests" % weft.address()[1]) == number, "the request")
    for client in clients[4:]:
        assert client.response().status == 503
    release.set()
    assert [client.response().text for client in clients[:4]] == ["/0", "/1", "/2", "/3"]
    assert len(origin.peers) == 1
    assert weft.metric(CLIENT + "pool_num_waited") == 3


def test_idle_connections_to_origins_are_closed(mesh):
    origin, weft, client = start(mesh, client={"hostConnectionPool": {"idleTimeMs": 100}})
    assert client.get("web").status == 200
    wait_until(lambda: origin.peers[0].ended.is_set(), "the end")
    wait_until(lambda: weft.metric(CLIENT + "connections") == 0, "the gauge")


def test_idle_connections_of_callers_are_closed(mesh):
    _, weft, client = start(mesh, server={"serverSession": {"idleTimeMs": 100}})
    assert client.get("web").status == 200
    assert client.at_end()
    assert mesh.client(weft).at_end()


def test_connections_of_callers_end_with_their_lifetime(mesh):
    _, _, client = start(mesh, server={"serverSession": {"lifeTimeMs": 200}})
    assert client.get("web").status == 200
    seen = []

    def closed():
        try:
            seen.append(client.get("web"))
        except (CutShort, ConnectionError):
            return True
        return seen[-1].header("connection") == "close"

    wait_until(closed, "the end of the connection")
