# SPDX-License-Identifier: Apache-2.0
"""Traces: the spans of requests through several proxies, as a real Zipkin server and an OTLP receiver have them; context in each form; and
collectors that are dead, slow or refuse."""

import base64
import os
import re
import socket
import struct
import subprocess
import sys
import threading

import grpc
import pytest

from client import request_bytes
from collectors import ROOT, Otlp, Zipkin, ZipkinJson
from grpc_service import GrpcServer, channel, unary, unary_stream
from mesh import PATIENCE, wait_until
from tls import Pki

HELLOWORLD = ROOT / "samples" / "helloworld" / "helloworld.py"
TRACE, SPAN = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"


@pytest.fixture(name="collector")
def make_collector():
    collector = Otlp()
    yield collector
    collector.close()


def otlp(collector, rate=1.0, **keys):
    return {"kind": "io.weft.otlp", "url": collector if isinstance(collector, str) else collector.url, "sampleRate": rate, **keys}


def traced(mesh, collector, router=None, rate=1.0, **keys):
    """A weft with one router, and its client; `router`: that one's keys."""
    weft = mesh.weft(mesh.config(mesh.router(**(router or {})), telemetry=[otlp(collector, rate, **keys)]))
    return weft, mesh.client(weft)


def arrived(collector, count):
    wait_until(lambda: len(collector.spans) >= count, f"{count} spans")
    assert len(collector.spans) == count
    return list(collector.spans)


# ---- the exercise ----

class Instance:
    """A running helloworld.py."""

    def __init__(self, *flags, proxy=None):
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        if proxy:
            kept["http_proxy"] = "%s:%d" % proxy
        self.process = subprocess.Popen([sys.executable, HELLOWORLD, "-addr=127.0.0.1:0", *flags], env=kept, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        match = re.search(r" on (127\.0\.0\.1):(\d+)$", line.rstrip())
        assert match, line
        self.address = match[1], int(match[2])

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


@pytest.fixture(name="exercise")
def make_exercise(mesh):
    """Of two telemeters makes an outgoing and an incoming proxy, and hello, which calls world: a client of the outgoing one."""
    instances = []

    def make(telemetry):
        incoming = mesh.weft(mesh.config(mesh.router("incoming"), telemetry=telemetry))
        towards = {"kind": "default", "transformers": [{"kind": "io.l5d.port", "port": incoming.address()[1]}]}
        outgoing = mesh.weft(mesh.config(mesh.router("outgoing", interpreter=towards), telemetry=telemetry))
        instances.append(Instance("-text=world"))
        instances.append(Instance("-text=Hello", "-target=world", proxy=outgoing.address()))
        mesh.service("world", instances[0].address)
        mesh.service("hello", instances[1].address)
        return mesh.client(outgoing)

    yield make
    for instance in instances:
        instance.end()


HOPS = [("outgoing", "SERVER"), ("outgoing", "CLIENT"), ("incoming", "SERVER"), ("incoming", "CLIENT")]


def assert_chain(spans, name="GET"):
    """outgoing → incoming → hello → outgoing → incoming → world: each span's parent is the one before."""
    by_parent = {span.parent: span for span in spans}
    assert len(by_parent) == len(spans) == 8
    chain, parent = [], ""
    while parent in by_parent:
        chain.append(by_parent[parent])
        parent = chain[-1].id
    assert [(span.service, span.kind) for span in chain] == HOPS + HOPS
    assert [span.attributes["weft.service"] for span in chain] == ["/svc/hello"] * 4 + ["/svc/world"] * 4
    assert len({span.trace for span in spans}) == 1
    for span, child in zip(chain, chain[1:]):
        assert span.name == name and not span.failed
        assert span.began <= child.began + 1000 and child.lasted <= span.lasted + 1000, "what is inside takes no longer, give or take clocks"
    return chain


def greet(client):
    response = client.get("hello")
    assert (response.status, response.text) == (200, "Hello world!!")


def test_all_hops_of_a_hello_request(exercise, collector):
    greet(exercise([otlp(collector)]))
    chain = assert_chain(arrived(collector, 8))
    for span in chain:
        assert span.attributes["http.request.method"] == "GET"
        assert span.attributes["http.response.status_code"] == 200
        assert span.attributes["url.path"] == "/"
        assert span.attributes["network.peer.address"] == "127.0.0.1"
        assert "error.type" not in span.attributes
    assert [span.attributes["server.address"] for span in chain[:2]] == ["hello", "127.0.0.1"]
    assert chain[1].attributes["weft.client"].startswith("/%/io.l5d.port/")


@pytest.mark.slow
@pytest.mark.skipif(Zipkin.lacks() is not None, reason=str(Zipkin.lacks()))
def test_a_real_zipkin_server_has_all_hops(exercise, tmp_path):
    zipkin = Zipkin(tmp_path)
    try:
        greet(exercise([{"kind": "io.zipkin.http", "host": zipkin.address, "initialSampleRate": 1.0}]))
        ids = wait_until(lambda: [trace[0]["traceId"] for trace in zipkin.ask("/api/v2/traces?lookback=600000")], "a trace")
        wait_until(lambda: len(zipkin.trace(ids[0])) == 8, "all of its spans")
        assert_chain(zipkin.trace(ids[0]), name="get")      # Zipkin writes names in lower case
        assert set(zipkin.ask("/api/v2/services")) == {"incoming", "outgoing"}
        assert set(zipkin.ask("/api/v2/remoteServices?serviceName=incoming")) == {"/svc/hello", "/svc/world"}
    finally:
        zipkin.close()


# ---- services that don't pass on what they are told ----

class Sidecar:
    """A proxy that brings requests to a service and takes its calls: `work` calls whoever waits in `calls` until it is told to answer."""

    def __init__(self, mesh, collector, joins=True):
        propagator = {"kind": "io.weft.w3c", **({"joins": "incoming"} if joins else {})}
        self.weft = mesh.weft(mesh.config(
            mesh.router("outgoing", tracePropagator=propagator), mesh.router("incoming"), telemetry=[otlp(collector)]), threads=2)
        self.mesh, self.collector = mesh, collector
        self.answer, self.working = threading.Event(), threading.Semaphore(0)
        self.world = mesh.origin()
        mesh.service("world", self.world)
        mesh.service("hello", mesh.origin(self._work))

    def _work(self, call):
        self.working.release()
        self.answer.wait(PATIENCE)
        call.answer()

    def ask(self, count=1):
        """So many requests of which hello then works; their clients."""
        clients = [self.mesh.client(self.weft.address("incoming")) for _ in range(count)]
        for client in clients:
            client.send_request("GET", host="hello")
        for _ in clients:
            assert self.working.acquire(timeout=PATIENCE)
        return clients

    def call(self, headers=None, source="127.0.0.1"):
        """A call to world, as hello would make it: from its address. Its span."""
        client = self.mesh.client(self.weft.address("outgoing"), source=source)
        before = {span.id for span in self.collector.spans}
        assert client.get("world", headers=headers or {}).status == 200
        client.close()
        return self.span_of("/svc/world", before)

    def span_of(self, service, before=()):
        def find():
            return [span for span in self.collector.spans
                    if span.attributes["weft.service"] == service and span.kind == "SERVER" and span.id not in before]
        return wait_until(find, "the span")[0]

    def attempt(self):
        return wait_until(lambda: [span for span in self.collector.spans
                                   if span.attributes["weft.service"] == "/svc/hello" and span.kind == "CLIENT"], "its span")[-1]

    def finish(self, clients):
        self.answer.set()
        for client in clients:
            assert client.response().status == 200
            client.close()

    def counted(self):
        return tuple(self.weft.metric(f"rt/outgoing/trace/{name}") for name in ("inferred", "ambiguous"))


def test_a_service_that_drops_headers_is_joined(mesh, collector):
    """helloworld.py knows Linkerd's headers alone: traceparent ends there."""
    weft = mesh.weft(mesh.config(
        mesh.router("outgoing", tracePropagator={"kind": "io.weft.w3c", "joins": ["incoming"]}),
        mesh.router("incoming", tracePropagator={"kind": "io.weft.w3c"}), telemetry=[otlp(collector)]), threads=2)
    instances = [Instance("-text=world")]
    try:
        instances.append(Instance("-text=Hello", "-target=world", proxy=weft.address("outgoing")))
        mesh.service("world", instances[0].address)
        mesh.service("hello", instances[1].address)
        greet(mesh.client(weft.address("incoming")))
        spans = arrived(collector, 4)
        chain = [next(span for span in spans if not span.parent)]
        while len(chain) < 4:
            chain.append(next(span for span in spans if span.parent == chain[-1].id))
        assert [(span.service, span.kind) for span in chain] == HOPS[2:] + HOPS[:2]
        assert len({span.trace for span in spans}) == 1
        assert [span.attributes.get("weft.inferred") for span in chain] == [None, None, True, None]
        assert weft.metric("rt/outgoing/trace/inferred") == 1
    finally:
        for instance in instances:
            instance.end()


def test_by_default_nothing_is_inferred(mesh, collector):
    sidecar = Sidecar(mesh, collector, joins=False)
    clients = sidecar.ask()
    span = sidecar.call()
    sidecar.finish(clients)
    assert span.parent == "" and span.trace != sidecar.attempt().trace and "weft.inferred" not in span.attributes
    assert sidecar.counted() == (0, 0)


def test_the_one_request_is_the_parent(mesh, collector):
    sidecar = Sidecar(mesh, collector)
    clients = sidecar.ask()
    span = sidecar.call()
    assert sent_on(sidecar.world.last)["w3c"][0] == span.trace
    told = sidecar.call(headers=CAME["w3c"])
    other = sidecar.call(source="127.0.0.2")
    sidecar.finish(clients)
    attempt = sidecar.attempt()
    assert (span.trace, span.parent, span.attributes["weft.inferred"]) == (attempt.trace, attempt.id, True)
    assert (told.trace, told.parent) == (TRACE, SPAN) and "weft.inferred" not in told.attributes, "what is told is believed"
    assert other.parent == "" and "weft.inferred" not in other.attributes, "somebody else, at another address"
    after = sidecar.call()
    assert after.parent == "" and after.trace != span.trace, "nothing is worked on any more"
    assert sidecar.counted() == (1, 0)


def test_of_two_requests_none_is_guessed(mesh, collector):
    sidecar = Sidecar(mesh, collector)
    clients = sidecar.ask(2)
    span = sidecar.call()
    sidecar.finish(clients)
    assert span.parent == "" and "weft.inferred" not in span.attributes
    assert sidecar.counted() == (0, 1)


def test_a_request_that_was_given_up_may_still_be_worked_on(mesh, collector):
    sidecar = Sidecar(mesh, collector)
    sidecar.ask()[0].reset()
    wait_until(lambda: sidecar.weft.metric("rt/incoming/service/svc/hello/pending") == 0, "the end of it")
    clients = sidecar.ask()
    span = sidecar.call()
    sidecar.finish(clients)
    assert span.parent == "" and sidecar.counted() == (0, 1)


# ---- context ----

def l5d(flags, high=True):
    low = int(TRACE[16:], 16)
    packed = struct.pack(">QQQQ", int(SPAN, 16), 1, low, flags) + (struct.pack(">Q", int(TRACE[:16], 16)) if high else b"")
    return base64.b64encode(packed).decode()


CAME = {
    "l5d": {"l5d-ctx-trace": l5d(6)},
    "several": {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1"},
    "single": {"b3": f"{TRACE}-{SPAN}-1-0020000000000001"},
    "w3c": {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=1,b=2"},
}
READS = {
    "io.l5d.default": ("l5d",),
    "io.l5d.zipkin": ("several", "single"),
    "io.weft.b3": ("several", "single"),
    "io.weft.w3c": ("w3c",),
    "io.weft.any": ("l5d", "several", "single", "w3c"),
}


def sent_on(message):
    """{form: (trace id, span id)} of what goes to the endpoint."""
    found = {}
    if message.header("l5d-ctx-trace"):
        packed = base64.b64decode(message.header("l5d-ctx-trace"))
        found["l5d"] = (packed[32:40].hex() + packed[16:24].hex(), packed[:8].hex())
    if message.header("x-b3-traceid"):
        found["several"] = (message.header("x-b3-traceid"), message.header("x-b3-spanid"))
    if message.header("b3"):
        found["single"] = tuple(message.header("b3").split("-")[:2])
    if message.header("traceparent"):
        found["w3c"] = tuple(message.header("traceparent").split("-")[1:3])
    return found


@pytest.mark.parametrize("kind, form", [(kind, form) for kind, forms in READS.items() for form in forms])
def test_context_is_read_and_goes_on(mesh, collector, kind, form):
    origin = mesh.origin()
    mesh.service("web", origin)
    _, client = traced(mesh, collector, {"tracePropagator": {"kind": kind}}, rate=0)
    assert client.get("web", headers=CAME[form]).status == 200
    client_span, server = sorted(arrived(collector, 2), key=lambda span: span.kind)
    assert (server.trace, server.parent) == (TRACE, SPAN)
    assert (client_span.trace, client_span.parent) == (TRACE, server.id)
    written = {"io.l5d.default": {"l5d"}, "io.l5d.zipkin": {"several"}, "io.weft.b3": {"single"}, "io.weft.w3c": {"w3c"},
               "io.weft.any": {"several"} if form == "several" else {"l5d", "w3c"} | ({"single"} if form == "single" else set())}[kind]
    got = sent_on(origin.last)
    assert set(got) == written, "no stale context goes on"
    assert set(got.values()) == {(TRACE, client_span.id)}
    if form == "w3c":
        assert origin.last.header("tracestate") == "a=1,b=2"
        assert origin.last.header("traceparent").endswith("-01")


NOT_SAMPLED = {
    "io.l5d.default": {"l5d-ctx-trace": l5d(2)},
    "io.l5d.zipkin": {"x-b3-sampled": "0"},
    "io.weft.b3": {"b3": "0"},
    "io.weft.w3c": {"traceparent": f"00-{TRACE}-{SPAN}-00"},
    "io.weft.any": {"b3": f"{TRACE}-{SPAN}-0"},
}


@pytest.mark.parametrize("kind", NOT_SAMPLED)
def test_a_caller_decides(mesh, collector, kind):
    mesh.service("web", mesh.origin())
    _, client = traced(mesh, collector, {"tracePropagator": {"kind": kind}})
    assert client.get("web", headers=NOT_SAMPLED[kind]).status == 200
    assert client.get("web", headers={**NOT_SAMPLED[kind], "l5d-sample": "1.0"}).status == 200
    assert client.get("web", headers={"l5d-sample": "0.0"}).status == 200
    assert client.get("web").status == 200
    assert len({span.trace for span in arrived(collector, 4)}) == 2, "the second, which l5d-sample decides, and the last, by the rate"


def test_sampling_by_rate(mesh, collector):
    mesh.service("web", mesh.origin())
    weft, client = traced(mesh, collector, rate=0.5)
    client.send(request_bytes(host="web") * 400)
    for _ in range(400):
        assert client.response().status == 200
    wait_until(lambda: weft.metric("exporter/otlp/spans") >= 240, "spans")
    wait_until(lambda: len(collector.spans) == weft.metric("exporter/otlp/spans"), "all that were counted")
    assert 240 <= len(collector.spans) <= 560 and len(collector.spans) % 2 == 0


@pytest.mark.parametrize("value", [
    "00-" + TRACE.upper() + "-" + SPAN + "-01", "00-" + "0" * 32 + "-" + SPAN + "-01", "00-" + TRACE + "-" + "0" * 16 + "-01",
    "ff-" + TRACE + "-" + SPAN + "-01", "00-" + TRACE + "-" + SPAN + "-01-x", "00-" + TRACE + "-" + SPAN, "nonsense", "",
    "00_" + TRACE + "-" + SPAN + "-01", "0x-" + TRACE + "-" + SPAN + "-01", "01-" + TRACE + "-" + SPAN + "-01x",
])
def test_an_invalid_traceparent_begins_a_trace(mesh, collector, value):
    origin = mesh.origin()
    mesh.service("web", origin)
    _, client = traced(mesh, collector, {"tracePropagator": {"kind": "io.weft.w3c"}})
    assert client.get("web", headers={"traceparent": value, "tracestate": "a=1"}).status == 200
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", origin.last.header("traceparent"))
    assert origin.last.header("tracestate") is None
    server = next(span for span in arrived(collector, 2) if span.kind == "SERVER")
    assert server.parent == "" and server.trace != TRACE


def test_a_later_version_is_read(mesh, collector):
    origin = mesh.origin()
    mesh.service("web", origin)
    _, client = traced(mesh, collector, {"tracePropagator": {"kind": "io.weft.w3c"}})
    assert client.get("web", headers={"traceparent": f"cc-{TRACE}-{SPAN}-01-what-comes"}).status == 200
    assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-01", origin.last.header("traceparent"))
    arrived(collector, 2)


def test_tracestate_has_a_bound(mesh, collector):
    origin = mesh.origin()
    mesh.service("web", origin)
    _, client = traced(mesh, collector, {"tracePropagator": {"kind": "io.weft.w3c"}})
    parent = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    members = [f"k{i}=" + "v" * 20 for i in range(30)]
    client.get("web", headers=[*parent.items(), ("tracestate", ",".join(members[:15])), ("tracestate", "long=" + "x" * 200),
                               ("tracestate", ",".join(members[15:]))])
    kept = origin.last.header("tracestate")
    assert len(kept) <= 512 and kept.split(",") == members[:len(kept.split(","))] and len(kept.split(",")) >= 20
    client.get("web", headers={**parent, "tracestate": ",".join(f"k{i}=v" for i in range(40))})
    assert origin.last.header("tracestate") == ",".join(f"k{i}=v" for i in range(32))
    arrived(collector, 4)


def test_strangers_are_not_believed(mesh, collector):
    origin = mesh.origin()
    mesh.service("web", origin)
    _, client = traced(mesh, collector, {"tracePropagator": {"kind": "io.weft.any"}, "server": {"clearContext": True}})
    for form, headers in CAME.items():
        assert client.get("web", headers=headers).status == 200
        got = sent_on(origin.last)
        assert TRACE not in [trace for trace, _ in got.values()], form
        assert origin.last.header("tracestate") is None
    assert TRACE not in [span.trace for span in arrived(collector, 8)]


# ---- what spans say ----

def test_each_attempt_is_a_span(mesh, collector):
    answers = iter([503, 500, 200])
    mesh.service("web", mesh.origin(lambda call: call.answer(next(answers))))
    _, client = traced(mesh, collector, {"service": {"responseClassifier": {"kind": "io.l5d.http.retryableRead5XX"}}})
    assert client.get("web", "/path?query=secret").status == 200
    spans = arrived(collector, 4)
    server = next(span for span in spans if span.kind == "SERVER")
    tries = sorted((span for span in spans if span.kind == "CLIENT"), key=lambda span: span.began)
    assert [span.attributes["http.response.status_code"] for span in tries] == [503, 500, 200]
    assert [span.attributes.get("http.request.resend_count") for span in tries] == [None, 1, 2]
    assert [span.attributes.get("error.type") for span in tries] == ["503", "500", None]
    assert [span.failed for span in tries] == [True, True, False] and not server.failed
    assert {span.parent for span in tries} == {server.id} and len({span.id for span in spans}) == 4
    assert {span.attributes["url.path"] for span in spans} == {"/path"}
    assert "secret" not in repr(spans)


def test_each_attempt_has_the_context_of_its_span(mesh, collector):
    answers = iter([503, 200])
    origin = mesh.origin(lambda call: call.answer(next(answers)))
    mesh.service("web", origin)
    _, client = traced(mesh, collector, {"service": {"responseClassifier": {"kind": "io.l5d.http.retryableRead5XX"}}})
    assert client.get("web").status == 200
    tries = sorted((span for span in arrived(collector, 3) if span.kind == "CLIENT"), key=lambda span: span.began)
    assert [base64.b64decode(call.header("l5d-ctx-trace"))[:8].hex() for call in origin.requests] == [span.id for span in tries]


def test_failures_have_a_type(mesh, collector):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        mesh.service("dead", probe.getsockname())
    mesh.service("rude", mesh.origin(connected=lambda peer: (peer.read(), peer.reset())))
    mesh.service("web", mesh.origin(status=404))
    _, client = traced(mesh, collector, {"client": {"failureAccrual": {"kind": "none"}, "requestAttemptTimeoutMs": 5000}})
    statuses = [client.request("POST", name, body=b"x").status for name in ("dead", "rude", "web", "nobody")]
    assert statuses[1:] == [502, 404, 502]
    wait_until(lambda: len([span for span in collector.spans if span.kind == "SERVER"]) == 4, "the spans of all requests")
    errors = {(span.attributes["weft.service"], span.kind): span.attributes.get("error.type") for span in collector.spans}
    assert errors[("/svc/dead", "CLIENT")] == "connection_error"
    assert errors[("/svc/dead", "SERVER")] == str(statuses[0])
    assert errors[("/svc/rude", "CLIENT")] == "connection_reset"
    assert errors[("/svc/rude", "SERVER")] == "502"
    assert (errors[("/svc/web", "CLIENT")], errors[("/svc/web", "SERVER")]) == ("404", None)
    assert errors[("/svc/nobody", "SERVER")] == "502" and ("/svc/nobody", "CLIENT") not in errors


def test_any_bytes_make_a_span(mesh, collector):
    mesh.service("web", mesh.origin())
    _, client = traced(mesh, collector)
    client.send(b"GET /\xff\xfe%\"\\ HTTP/1.1\r\nHost: web\r\n\r\n".replace(b"\\ ", b"\\/" + b"\xc3\xa4" * 60 + b" "))
    assert client.response().status in (200, 400)
    client.close()
    other = mesh.client(mesh.wefts[0])
    assert other.request("BREW", "web").status == 200
    wait_until(lambda: any(span.name == "BREW" for span in collector.spans), "a span")
    brew = next(span for span in collector.spans if span.name == "BREW")
    assert (brew.attributes["http.request.method"], brew.attributes["http.request.method_original"]) == ("_OTHER", "BREW")


def test_the_service_name_may_be_set(mesh, collector):
    mesh.service("web", mesh.origin())
    _, client = traced(mesh, collector, serviceName="edge")
    assert client.get("web").status == 200
    assert {span.service for span in arrived(collector, 2)} == {"edge"}


# ---- collectors that don't do what they should ----

def ask_many(client, count=1500):
    for _ in range(count // 100):
        client.send(request_bytes(host="web") * 100)
        for _ in range(100):
            assert client.response().status == 200


def spans_of(weft):
    metrics = weft.metrics()
    return {name: metrics["exporter/otlp/" + name] for name in ("spans", "dropped", "failures")}


def test_a_dead_collector_costs_spans_alone(mesh):
    mesh.service("web", mesh.origin())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    weft, client = traced(mesh, "http://%s:%d" % address)
    ask_many(client, 3000)
    wait_until(lambda: spans_of(weft)["failures"] > 1 and spans_of(weft)["dropped"] >= 6000 - 4096, "drops, counted")
    assert spans_of(weft)["spans"] == 0


def test_a_slow_collector_costs_spans_alone(mesh, collector):
    mesh.service("web", mesh.origin())
    weft, client = traced(mesh, collector)
    collector.hold()
    ask_many(client, 3000)
    wait_until(lambda: spans_of(weft)["dropped"] >= 6000 - 4096, "drops, counted")
    dropped = spans_of(weft)["dropped"]
    collector.release()
    wait_until(lambda: spans_of(weft)["spans"] == 6000 - dropped, "the rest")
    assert len(collector.spans) >= 6000 - dropped


@pytest.mark.parametrize("status, again", [(500, False), (400, False), (503, True), (429, True)])
def test_a_collector_that_refuses(mesh, collector, status, again):
    mesh.service("web", mesh.origin())
    weft, client = traced(mesh, collector)
    collector.status = status
    assert client.get("web").status == 200
    wait_until(lambda: spans_of(weft)["failures"] > 0, "a failure, counted")
    collector.status = 200
    assert client.get("web").status == 200
    wait_until(lambda: spans_of(weft)["spans"] == (4 if again else 2), "the next spans")
    assert spans_of(weft)["dropped"] == (0 if again else 2)
    assert len(collector.spans) == (4 if again else 2)


def test_a_reload_changes_collectors(mesh, collector):
    other = Otlp()
    try:
        mesh.service("web", mesh.origin())
        weft, client = traced(mesh, collector)
        assert client.get("web").status == 200
        arrived(collector, 2)
        weft.reload(mesh.config(telemetry=[otlp(other)]))
        assert client.get("web").status == 200
        arrived(other, 2)
        weft.reload(mesh.config(telemetry=[]))
        assert client.get("web").status == 200
        weft.reload(mesh.config(telemetry=[otlp(collector)]))
        assert client.get("web").status == 200
        arrived(collector, 4)
        assert len(other.spans) == 2
    finally:
        other.close()


def test_the_last_spans_are_sent_at_the_end(mesh, collector):
    mesh.service("web", mesh.origin())
    weft, client = traced(mesh, collector)
    assert client.get("web").status == 200
    client.close()
    weft.finish()
    assert len(collector.spans) == 2


# ---- the connection to a collector ----

def post_rounds(mesh, collector, weft, rounds):
    """So many posts, one after the other."""
    client = mesh.client(weft)
    for i in range(rounds):
        assert client.get("web").status == 200
        wait_until(lambda: spans_of(weft)["spans"] == 2 * (i + 1), "its spans")
    assert len(collector.spans) == 2 * rounds


def test_a_connection_is_kept(mesh, collector):
    mesh.service("web", mesh.origin())
    weft, _ = traced(mesh, collector)
    post_rounds(mesh, collector, weft, 4)
    assert collector.connections == 1


def test_a_connection_that_is_closed_costs_nothing(mesh, collector):
    mesh.service("web", mesh.origin())
    weft, _ = traced(mesh, collector)
    collector.close_each = True
    post_rounds(mesh, collector, weft, 4)
    assert collector.connections == 4
    assert spans_of(weft) == {"spans": 8, "dropped": 0, "failures": 0}


def test_a_collector_over_tls(mesh, tmp_path):
    pki = Pki(tmp_path / "pki")
    secure = Otlp(pki.server_context(pki.issue("collector", "DNS:collector.example")))
    try:
        mesh.service("web", mesh.origin())
        weft, client = traced(mesh, secure, tls={"commonName": "collector.example", "trustCerts": [str(pki.root.cert)]}, metrics=True, intervalMs=200)
        for _ in range(3):
            assert client.get("web").status == 200
        arrived(secure, 6)
        wait_until(lambda: secure.reports, "metrics")
        wait_until(lambda: spans_of(weft)["spans"] == 6, "all of them counted")
        assert secure.connections == 1 and spans_of(weft)["failures"] == 0
    finally:
        secure.close()


def test_a_collector_whose_certificate_nobody_vouches_for_gets_nothing(mesh, tmp_path):
    pki, stranger = Pki(tmp_path / "pki"), Pki(tmp_path / "stranger")
    secure = Otlp(stranger.server_context(stranger.issue("collector", "DNS:collector.example")))
    try:
        mesh.service("web", mesh.origin())
        weft, client = traced(mesh, secure, tls={"commonName": "collector.example", "trustCerts": [str(pki.root.cert)]})
        assert client.get("web").status == 200
        wait_until(lambda: spans_of(weft)["failures"] > 0, "a failure, counted")
        assert not secure.posts and spans_of(weft)["spans"] == 0
    finally:
        secure.close()


# ---- gRPC ----

def test_spans_of_grpc(mesh, collector):
    server = GrpcServer("one")
    try:
        mesh.service("test.Echo", server.address)
        router = mesh.router(identifier={"kind": "io.l5d.header.path", "segments": 1}, service={"responseClassifier": {"kind": "io.l5d.h2.grpc.default"}})
        weft = mesh.weft(mesh.config({**router, "protocol": "h2"}, telemetry=[otlp(collector)]))
        with channel(weft) as made:
            assert unary(made, "Say")(b"x", timeout=10)
            for status in (5, 13):
                with pytest.raises(grpc.RpcError) as error:
                    unary(made, "Fail")(b"%d" % status, timeout=10)
                assert error.value.code().value[0] == status
            assert len(list(unary_stream(made, "Count")(b"3", timeout=10))) == 3
        spans = arrived(collector, 8)
        assert {(span.attributes["rpc.system"], span.attributes["rpc.service"]) for span in spans} == {("grpc", "test.Echo")}
        told = {(span.name, span.kind, span.attributes["rpc.grpc.status_code"], span.attributes.get("error.type"), span.failed) for span in spans}
        assert told == {
            *(("test.Echo/Say", kind, 0, None, False) for kind in ("SERVER", "CLIENT")),
            *(("test.Echo/Count", kind, 0, None, False) for kind in ("SERVER", "CLIENT")),
            ("test.Echo/Fail", "CLIENT", 5, "5", True), ("test.Echo/Fail", "SERVER", 5, None, False),
            *(("test.Echo/Fail", kind, 13, "13", True) for kind in ("SERVER", "CLIENT")),
        }
        assert {span.attributes["rpc.method"] for span in spans} == {"Say", "Count", "Fail"}
        assert not any(name.startswith("http.") for span in spans for name in span.attributes)
    finally:
        server.close()


# ---- Zipkin's form, and the scribe transport ----

def test_zipkins_json(mesh):
    collector = ZipkinJson()
    try:
        origin = mesh.origin(status=500)
        mesh.service("web", origin)
        weft = mesh.weft(mesh.config(telemetry=[{"kind": "io.l5d.zipkin", "url": collector.url + "/api/v2/spans", "sampleRate": 1.0}]))
        assert mesh.client(weft).get("web", "/a", headers={"l5d-ctx-trace": l5d(6, high=False)}).status == 500
        wait_until(lambda: len(collector.spans) == 2, "two spans")
        client_span, server = sorted(collector.spans, key=lambda span: span["kind"])
        assert server["traceId"] == TRACE[16:] and server["parentId"] == SPAN
        assert client_span["remoteEndpoint"] == {"serviceName": "/svc/web", "ipv4": "127.0.0.1", "port": origin.port}
        assert client_span["tags"]["error"] == "500" and client_span["tags"]["http.response.status_code"] == "500"
        assert collector.posts[0][1]["Content-Type"] == "application/json"
    finally:
        collector.close()


# ---- metrics ----

def test_metrics_are_pushed(mesh, collector):
    mesh.service("web", mesh.origin())
    weft, client = traced(mesh, collector, rate=0, metrics=True, intervalMs=100)
    for _ in range(5):
        assert client.get("web").status == 200

    def requests():
        if not collector.reports:
            return 0
        metric = collector.metrics().get("weft_service_requests")
        return metric and sum(point.as_double for point in metric.sum.data_points)

    wait_until(lambda: requests() == 5, "the counter")
    metrics = collector.metrics()
    counter = metrics["weft_service_requests"]
    assert counter.sum.is_monotonic and counter.sum.aggregation_temporality == 2
    point = counter.sum.data_points[0]
    assert {pair.key: pair.value.string_value for pair in point.attributes} == {"rt": "out", "service": "svc/web"}
    assert 0 < point.start_time_unix_nano < point.time_unix_nano
    latency = metrics["weft_service_request_latency_seconds"]
    assert latency.unit == "s" and latency.histogram.aggregation_temporality == 2
    point = latency.histogram.data_points[0]
    assert point.count == 5 == sum(point.bucket_counts) and point.sum > 0
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1 and list(point.explicit_bounds) == sorted(point.explicit_bounds)
    assert metrics["weft_process_resident_memory_bytes"].gauge.data_points[0].as_double > 1e6
    before = point.start_time_unix_nano
    wait_until(lambda: weft.metric("exporter/otlp/reports") >= 3, "further reports")
    assert collector.metrics()["weft_service_request_latency_seconds"].histogram.data_points[0].start_time_unix_nano == before
