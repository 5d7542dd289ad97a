# SPDX-License-Identifier: Apache-2.0
"""What Linkerd 1.x documents of its HTTP router: names and dtabs, l5d-* headers, errors and timeouts."""

import base64
import collections
import socket
import struct
import threading
import time
import urllib.parse

import pytest

from client import request_bytes
from dns import NameServer
from mesh import PATIENCE, wait_until

FS = "/#/io.l5d.fs"


def one_service(mesh, name="web", handler=None, **router):
    origin = mesh.origin(handler)
    mesh.service(name, origin)
    weft = mesh.weft(**router)
    return origin, weft, mesh.client(weft)


def trace_of(message):
    fields = struct.unpack(">QQQQ", base64.b64decode(message.header("l5d-ctx-trace"), validate=True)[:32])
    return dict(zip(("span", "parent", "trace", "flags"), fields))


def trace_header(span, parent, trace, flags=0, high=None):
    return base64.b64encode(struct.pack(">QQQQ", span, parent, trace, flags) + (b"" if high is None else struct.pack(">Q", high))).decode()


# ---- dtabs ----

@pytest.mark.parametrize("dtab, headers, wanted", [
    ("/svc => /#/io.l5d.fs", {}, "a"),
    ("/svc => /srv; /srv => /#/io.l5d.fs", {}, "a"),
    ("/svc => /#/io.l5d.fs; /svc/a => /#/io.l5d.fs/b", {}, "b"),
    ("/svc/a => /#/io.l5d.fs/b; /svc => /#/io.l5d.fs", {}, "a"),
    ("/svc/* => /#/io.l5d.fs/b", {}, "b"),
    ("/svc/a => /#/io.l5d.fs/none | /#/io.l5d.fs/b", {}, "b"),
    ("/svc => /#/io.l5d.fs/b; /svc/a => /#/io.l5d.fs/none", {}, "b"),
    ("/svc/a => ~ | /#/io.l5d.fs/b", {}, "b"),
    ("/svc/a => /#/io.l5d.fs/a | !", {}, "a"),
    ("/svc/a => ! | /#/io.l5d.fs/a", {}, None),
    ("/svc/a => $ | /#/io.l5d.fs/a", {}, None),
    ("/svc/a => /$/nil | /#/io.l5d.fs/a", {}, None),
    ("/svc/a => /$/fail | /#/io.l5d.fs/a", {}, None),
    ("/svc/a => /#/io.l5d.fs/none", {}, None),
    ("/svc/a => 1 * /#/io.l5d.fs/b & 0 * /#/io.l5d.fs/a", {}, "b"),
    ("/svc/a => 1 * /#/io.l5d.fs/b & 1 * /#/io.l5d.fs/none", {}, "b"),
    ("# a comment\n/svc => /#/io.l5d.fs ;;\n", {}, "a"),
    ("", {"l5d-dtab": "/svc => /#/io.l5d.fs"}, "a"),
    ("/svc => /#/io.l5d.fs", {"l5d-dtab": "/svc/a => /#/io.l5d.fs/b;"}, "b"),
    ("/svc => /#/io.l5d.fs", {"l5d-ctx-dtab": "/svc/a => /#/io.l5d.fs/b"}, "b"),
    ("/svc => /#/io.l5d.fs", {"l5d-ctx-dtab": "/svc/a => /#/io.l5d.fs/b", "l5d-dtab": "/svc/a => /#/io.l5d.fs/c"}, "c"),
    ("/svc => /#/io.l5d.fs", {"l5d-dtab": "/svc/a => /#/io.l5d.fs/c", "l5d-ctx-dtab": "/svc/a => /#/io.l5d.fs/b"}, "c"),
    ("/svc => /host; /host => /#/io.l5d.fs", {"l5d-dtab": "/host/a => /host/b"}, "b"),
    ("/svc/a => /svc/b; /svc/b => /svc/a", {}, None),
    ("/svc => /$/io.buoyant.http.anyHostPfx/x; /x => /#/io.l5d.fs/c", {}, "c"),
    ("/svc => /$/inet/127.0.0.1/%PORT-B%", {}, "b"),
    ("/svc => /$/inet/%PORT-B%", {}, "b"),
    ("/svc/a => /$/io.buoyant.rinet/%PORT-B%/127.0.0.1", {}, "b"),
    ("/svc => /$/io.buoyant.nothing", {}, None),
])
def test_delegation(mesh, dtab, headers, wanted):
    for name in "abc":
        mesh.service(name, mesh.origin(body=name.encode()))
    dtab = dtab.replace("%PORT-B%", str(mesh.origins[1].port))
    response = mesh.client(mesh.weft(dtab=dtab)).get("a", headers=headers)
    if wanted:
        assert (response.status, response.text) == (200, wanted)
    else:
        assert response.status == 502
        assert response.text.startswith("Unable to route request!\n\n")


@pytest.mark.parametrize("dtab, host, wanted", [
    ("/svc => /$/io.buoyant.http.domainToPathPfx/domain; /domain => /#/io.l5d.fs", "www.hello.world", "world/hello/www"),
    ("/svc => /$/io.buoyant.http.subdomainOfPfx/hello.world/x; /x => /#/io.l5d.fs", "api.hello.world:80", "api"),
    ("/svc => /$/io.buoyant.hostportPfx/x; /x => /#/io.l5d.fs", "web:8080", "web/8080"),
    ("/svc => /$/io.buoyant.porthostPfx/x; /x => /#/io.l5d.fs", "web:http", None),  # that Host is none
    ("/svc => /$/io.buoyant.porthostPfx/x; /x => /#/io.l5d.fs", "web:81", "81/web"),
    ("/svc => /#/io.l5d.fs", "MiXeD", "MiXeD"),
    ("/svc => /#/io.l5d.fs", "hello:80", "hello:80"),
])
def test_names_from_hosts(mesh, dtab, host, wanted):
    mesh.service(wanted or "x", mesh.origin(body=b"found"))
    response = mesh.client(mesh.weft(dtab=dtab)).get(host)
    assert (response.status, response.text) == (200, "found") if wanted else response.status == 400


def test_weighted_unions(mesh):
    for name in "abc":
        mesh.service(name, mesh.origin(body=name.encode()))
    client = mesh.client(mesh.weft(dtab=f"/svc/web => 1 * {FS}/a & 3 * {FS}/b & 6 * {FS}/c"))
    for _ in range(10):
        client.send(request_bytes(host="web") * 100)
        for _ in range(100):
            assert client.response().status == 200
    counts = [len(origin.requests) for origin in mesh.origins]
    # Six standard deviations of 1000 draws each way.
    for count, share in zip(counts, (0.1, 0.3, 0.6)):
        assert abs(count - 1000 * share) < 6 * (1000 * share * (1 - share)) ** 0.5, counts


def test_fallback_follows_the_directory(mesh):
    """Alternatives are chosen by names, live: a file that comes wins, one that goes gives way."""
    mesh.service("b", mesh.origin(body=b"b"))
    weft = mesh.weft(dtab=f"/svc/web => {FS}/a | {FS}/b")
    client = mesh.client(weft)
    assert client.get("web").text == "b"
    mesh.service("a", mesh.origin(body=b"a"))
    wait_until(lambda: client.get("web").text == "a", "the new file")
    (mesh.disco / "a").unlink()
    wait_until(lambda: client.get("web").text == "b", "the removed file")


def test_bound_name_without_endpoints_is_no_reason_to_fall_back(mesh):
    mesh.service("a")
    mesh.service("b", mesh.origin())
    response = mesh.client(mesh.weft(dtab=f"/svc/web => {FS}/a | {FS}/b")).get("web")
    assert response.status == 502


def test_malformed_file_keeps_the_last_good_endpoints(mesh):
    origin, weft, client = one_service(mesh)
    assert client.get("web").status == 200
    mesh.service("web", "not a line")
    mesh.service("other", mesh.origin())
    wait_until(lambda: client.get("other").status == 200, "the file after the malformed one")
    assert client.get("web").text == str(origin.port)


def test_weights_in_the_file(mesh):
    heavy, light = mesh.origin(), mesh.origin()
    mesh.service("web", f"127.0.0.1 {heavy.port} * 4.0 # comment", "# a line", "", f"127.0.0.1 {light.port}")
    client = mesh.client(mesh.weft())
    client.send(request_bytes(host="web") * 1000)
    for _ in range(1000):
        assert client.response().status == 200
    assert len(heavy.requests) > 1.5 * len(light.requests) > 0


@pytest.mark.parametrize("status", [200, 204, 404, 503])
def test_status_namer(mesh, status):
    client = mesh.client(mesh.weft(dtab=f"/svc => /$/io.buoyant.http.status/{status}"))
    for _ in range(2):
        response = client.get("web")
        assert (response.status, response.body) == (status, b"")


@pytest.mark.parametrize("status", [100, 101, 199])
def test_status_namer_never_answers_with_an_informational_status(mesh, status):
    """Nobody could tell where the answer is: the name is not bound."""
    client = mesh.client(mesh.weft(dtab=""))
    assert client.get("web", headers={"l5d-dtab": f"/svc => /$/io.buoyant.http.status/{status}"}).status == 502


def test_residual_path(mesh):
    origin, _, client = one_service(mesh, dtab=f"/svc => {FS}/web")
    assert client.get("some.host").status == 200
    assert origin.last.header("l5d-dst-residual") == "/some.host"
    assert origin.last.header("l5d-dst-service") == "/svc/some.host"
    assert origin.last.header("l5d-dst-client") == "/#/io.l5d.fs/web"
    assert origin.last.target == b"/"


def test_identifier_from_another_header(mesh):
    origin, _, client = one_service(mesh, identifier=[{"kind": "io.l5d.header.token", "header": "X-Name"}, {"kind": "io.l5d.header.token"}])
    assert client.get("elsewhere", headers={"x-name": "web"}).text == str(origin.port)
    assert client.get("web").text == str(origin.port)


def test_dst_prefix(mesh):
    _, _, client = one_service(mesh, dtab=f"/http/out => {FS}", dstPrefix="/http/out")
    assert client.get("web").status == 200


def test_transformers(mesh):
    first, second = mesh.origin(), mesh.origin(ip="127.0.0.2")
    mesh.service("web", ("127.0.0.1", 1), ("127.0.0.2", 1))
    router = {"dtab": f"/svc => {FS}"}
    client = mesh.client(mesh.weft(**router, interpreter={"kind": "default", "transformers": [
        {"kind": "io.l5d.port", "port": second.port}, {"kind": "io.l5d.specificHost", "host": "127.0.0.2"}]}))
    for _ in range(4):
        assert client.get("web").text == str(second.port)
    assert second.last.header("l5d-dst-client") == f"/%/io.l5d.specificHost/%/io.l5d.port/{second.port}/#/io.l5d.fs/web"
    assert first.requests == []


# ---- DNS ----

def test_names_of_hosts(mesh, tmp_path):
    origin = mesh.origin()
    server = NameServer({"web.example": ["127.0.0.1"], "dead.example": None})
    try:
        config = mesh.config(mesh.router(dtab="/svc => /$/io.buoyant.hostportPfx/ph; /ph => /$/inet", bindingTimeoutMs=500),
                             mesh.router("rinet", dtab=f"/svc => /$/io.buoyant.rinet/{origin.port}"),
                             dns={"resolvConf": server.resolv_conf(tmp_path / "resolv.conf")})
        weft = mesh.weft(config)
        client = mesh.client(weft)
        assert client.get(f"web.example:{origin.port}").text == str(origin.port)
        assert origin.last.header("l5d-dst-client") == f"/$/inet/web.example/{origin.port}"
        assert mesh.client(weft.address("rinet")).get("web.example").text == str(origin.port)
        assert client.get(f"none.example:{origin.port}").status == 502
        began = len(server.asked)
        response = client.get(f"dead.example:{origin.port}")
        assert response.status == 503
        assert response.text.startswith("exceeded 500.milliseconds to ")
        assert "dead.example" in server.asked[began:]
        other = mesh.origin(ip="127.0.0.2", port=0)
        server.addresses["moved.example"] = ["127.0.0.2"]
        assert client.get(f"moved.example:{other.port}").text == str(other.port)
    finally:
        server.close()


def test_addresses_of_hosts_are_followed(mesh, tmp_path):
    """When their time to live is over they are asked for again; a name server that dies leaves the last good ones."""
    first = mesh.origin()
    second = mesh.origin(ip="127.0.0.2", port=first.port, body=b"second")
    server = NameServer({"web.example": ["127.0.0.1"]})
    try:
        weft = mesh.weft(mesh.config(mesh.router(dtab=f"/svc => /$/inet/web.example/{first.port}"),
                                     dns={"resolvConf": server.resolv_conf(tmp_path / "resolv.conf")}))
        client = mesh.client(weft)
        assert client.get("web").text == str(first.port)
        server.addresses["web.example"] = ["127.0.0.2"]
        wait_until(lambda: client.get("web").text == "second", "the new address")
        asked = len(server.asked)
        server.addresses["web.example"] = None
        wait_until(lambda: len(server.asked) > asked, "a question that nobody answers")
        assert client.get("web").text == "second"
        assert second.requests
    finally:
        server.close()


def test_body_waits_with_its_parked_request(mesh, tmp_path):
    body = bytes(range(256)) * 1000
    origin = mesh.origin(lambda call: call.answer(body=call.message.body))
    server = NameServer({"slow.example": None})
    try:
        weft = mesh.weft(mesh.config(mesh.router(dtab=f"/svc => /$/inet/slow.example/{origin.port}"),
                                     dns={"resolvConf": server.resolv_conf(tmp_path / "resolv.conf")}))
        client = mesh.client(weft)
        sender = threading.Thread(target=client.send, args=(request_bytes("POST", host="web", body=body),))
        sender.start()
        wait_until(lambda: server.asked, "the question")
        server.addresses["slow.example"] = ["127.0.0.1"]
        assert client.response("POST").body == body
        sender.join()
    finally:
        server.close()


def test_ipv6(mesh):
    if not socket.has_ipv6:
        pytest.skip("needs IPv6 on loopback")
    origin = mesh.origin(ip="::1")
    mesh.service("web", origin)
    weft = mesh.weft(server={"ip": "::1"})
    assert weft.address()[0] == "::1"
    client = mesh.client(weft)
    assert client.get("web").text == str(origin.port)
    assert client.get("[::1]:80").status == 502
    assert weft.metric(f"out/server/::1/{weft.address()[1]}/requests") == 2


def test_slow_binding_parks_only_its_own_request(mesh, tmp_path):
    origin = mesh.origin()
    mesh.service("web", origin)
    server = NameServer({"slow.example": None})
    try:
        weft = mesh.weft(mesh.config(mesh.router(dtab=f"/svc => {FS}; /svc/slow => /$/inet/slow.example/{origin.port}"),
                                     dns={"resolvConf": server.resolv_conf(tmp_path / "resolv.conf")}))
        slow, fast = mesh.client(weft), mesh.client(weft)
        slow.send_request(host="slow")
        wait_until(lambda: server.asked, "the question")
        for _ in range(50):
            assert fast.get("web").status == 200
        assert weft.metric("service/svc/slow/requests") == 0  # not routed yet
        server.addresses["slow.example"] = ["127.0.0.1"]
        assert slow.response().text == str(origin.port)
    finally:
        server.close()


# ---- context headers ----

def test_local_dtab_goes_on_as_context(mesh):
    origin, _, client = one_service(mesh)
    headers = [("l5d-ctx-dtab", "/a => /b ; /c=>/d"), ("l5d-dtab", "/e => /f | /g;"), ("l5d-dtab", "/h => 1 * /i & 2 * /j")]
    assert client.get("web", headers=headers).status == 200
    assert origin.last.header("l5d-dtab") is None
    written = origin.last.header("l5d-ctx-dtab")
    assert written.startswith("/a=>/b;/c=>/d;")
    assert [part.split("=>")[0].strip() for part in written.split(";")] == ["/a", "/c", "/e", "/h"]
    again = client.get("web", headers={"l5d-ctx-dtab": written})
    assert again.status == 200 and origin.last.header("l5d-ctx-dtab") == written
    assert client.get("web").status == 200 and origin.last.header("l5d-ctx-dtab") is None


@pytest.mark.parametrize("name", ["l5d-dtab", "l5d-ctx-dtab"])
@pytest.mark.parametrize("value", ["/a", "/a => ", "a => /b", "/a => /b/", "/a => (/b", "=>", "/a => /b & ", "/a => x * /b"])
def test_malformed_dtab(mesh, name, value):
    _, _, client = one_service(mesh)
    response = client.get("web", headers={name: value})
    assert response.status == 400
    assert response.header("l5d-err")
    assert client.get("web").status == 200


def test_trace_is_kept_with_new_spans(mesh):
    origin, _, client = one_service(mesh)
    for flags in (0, 6, 7):
        assert client.get("web", headers={"l5d-ctx-trace": trace_header(11, 22, 33, flags)}).status == 200
        trace = trace_of(origin.last)
        assert (trace["trace"], trace["flags"]) == (33, flags)
        assert len({trace["span"], trace["parent"], 11, 22, 33}) == 5  # a server span and a client span, both new
        assert origin.last.header("l5d-reqid") == f"{33:016x}"
    assert client.get("web", headers={"l5d-ctx-trace": trace_header(11, 22, 33, 0, high=44)}).status == 200
    assert len(base64.b64decode(origin.last.header("l5d-ctx-trace"))) == 40
    assert base64.b64decode(origin.last.header("l5d-ctx-trace"))[32:] == struct.pack(">Q", 44)


def test_new_traces_and_malformed_ones(mesh):
    origin, _, client = one_service(mesh)
    seen = set()
    for value in (None, "", "x", "AAAA", trace_header(1, 2, 3)[:-4], "!" * 44):
        assert client.get("web", headers={"l5d-ctx-trace": value} if value is not None else ()).status == 200
        trace = trace_of(origin.last)
        assert trace["span"] != trace["parent"] == trace["trace"] != 0
        assert origin.last.header("l5d-reqid") == f"{trace['trace']:016x}"
        seen.add(trace["trace"])
    assert len(seen) == 6


ZIPKIN = {"tracePropagator": {"kind": "io.l5d.zipkin"}}
B3 = ("traceid", "spanid", "parentspanid", "sampled", "flags")


def b3_of(message):
    return {name: message.header("x-b3-" + name) for name in B3}


@pytest.mark.parametrize("trace, flags", [
    ("463ac35c9f6413ad", {"sampled": "1"}),
    ("463ac35c9f6413ad48485a3953bb6124", {"sampled": "0"}),
    ("463ac35c9f6413ad", {"flags": "1"}),
    ("463ac35c9f6413ad", {}),
])
def test_traces_in_zipkins_headers(mesh, trace, flags):
    origin, _, client = one_service(mesh, **ZIPKIN)
    sent = {"X-B3-TraceId": trace, "X-B3-SpanId": "a2fb4a1d1a96d312", "X-B3-ParentSpanId": "0020000000000001",
            **{"X-B3-" + name.title(): value for name, value in flags.items()}, "l5d-ctx-trace": trace_header(11, 22, 33)}
    assert client.get("web", headers=sent).status == 200
    got = b3_of(origin.last)
    assert got["traceid"] == trace
    assert {name: got[name] for name in ("sampled", "flags") if got[name]} == flags
    assert len({got["spanid"], got["parentspanid"], "a2fb4a1d1a96d312", "0020000000000001"}) == 4  # a server span and a client span, both new
    assert origin.last.header("l5d-ctx-trace") is None
    assert origin.last.header("l5d-reqid") is None


def test_new_traces_in_zipkins_headers(mesh):
    origin, _, client = one_service(mesh, **ZIPKIN)
    for sent in ({}, {"x-b3-traceid": "12"}, {"x-b3-traceid": "463ac35c9f6413ad"}, {"x-b3-spanid": "463ac35c9f6413ad"}):
        assert client.get("web", headers={**sent, "x-b3-sampled": "1"}).status == 200
        got = b3_of(origin.last)
        assert len(got["traceid"]) == len(got["spanid"]) == 16
        assert got["traceid"] not in sent.values()
        assert got["parentspanid"] == got["traceid"] != got["spanid"]
        assert got["sampled"] == "1", "it is told without a trace, too"
    assert client.get("web", headers={"l5d-sample": "0", "x-b3-sampled": "1"}).status == 200
    assert b3_of(origin.last)["sampled"] == "0"


def test_zipkins_headers_are_left_alone_by_others(mesh):
    origin, _, client = one_service(mesh)
    assert client.get("web", headers={"x-b3-traceid": "463ac35c9f6413ad", "x-b3-sampled": "1"}).status == 200
    assert (origin.last.header("x-b3-traceid"), origin.last.header("x-b3-sampled")) == ("463ac35c9f6413ad", "1")


@pytest.mark.parametrize("value, sampled", [("1.0", True), ("0", False), ("0.0", False), ("5", True), ("-1", False)])
def test_sampling_is_decided_here(mesh, value, sampled):
    origin, _, client = one_service(mesh)
    assert client.get("web", headers={"l5d-sample": value}).status == 200
    assert origin.last.header("l5d-sample") is None
    assert trace_of(origin.last)["flags"] & 6 == (6 if sampled else 2)


def test_sampling_by_half(mesh):
    origin, _, client = one_service(mesh)
    client.send(request_bytes(host="web", headers={"l5d-sample": "0.5"}) * 400)
    for _ in range(400):
        client.response()
    assert 130 < sum(trace_of(message)["flags"] >> 2 & 1 for message in origin.requests) < 270


def test_deadlines_are_merged(mesh):
    origin, _, client = one_service(mesh)
    assert client.get("web").status == 200 and origin.last.header("l5d-ctx-deadline") is None
    far = (time.time_ns() // 10**9 + 1000) * 10**9
    fields = [("l5d-ctx-deadline", f"5 {far + 7}"), ("l5d-ctx-deadline", f"9 {far + 3}"), ("l5d-ctx-deadline", "nonsense")]
    assert client.get("web", headers=fields).status == 200
    assert origin.last.header("l5d-ctx-deadline") == f"9 {far + 3}"
    # In the past: advisory, not enforced.
    assert client.get("web", headers={"l5d-ctx-deadline": "5 6"}).status == 200
    assert origin.last.header("l5d-ctx-deadline") == "5 6"


def test_total_timeout_shows_in_the_deadline(mesh):
    origin, _, client = one_service(mesh, service={"totalTimeoutMs": 60000})
    before = time.time_ns()
    assert client.get("web").status == 200
    stamp, deadline = map(int, origin.last.header("l5d-ctx-deadline").split())
    assert before - 10**9 < stamp < time.time_ns() + 10**9
    assert abs(deadline - stamp - 60 * 10**9) < 10**9
    assert client.get("web", headers={"l5d-ctx-deadline": f"7 {before + 10**9}"}).status == 200
    assert origin.last.header("l5d-ctx-deadline").split()[1] == str(before + 10**9)


def test_destination_headers_are_the_proxys_own(mesh):
    origin, _, client = one_service(mesh)
    names = ("l5d-dst-service", "l5d-dst-client", "l5d-reqid")
    forged = {"l5d-dst-service": "/forged", "l5d-dst-client": "/forged", "l5d-dst-residual": "/forged", "l5d-reqid": "forged"}
    assert client.get("web", headers=forged).status == 200
    assert [origin.last.header(name) for name in names[:2]] == ["/svc/web", "/#/io.l5d.fs/web"]
    assert origin.last.header("l5d-reqid") != "forged"
    assert origin.last.header("l5d-dst-residual") is None


def test_unknown_context_headers_are_left_alone(mesh):
    origin, _, client = one_service(mesh)
    assert client.get("web", headers={"l5d-ctx-other": "1", "l5d-other": "2"}).status == 200
    assert (origin.last.header("l5d-ctx-other"), origin.last.header("l5d-other")) == ("1", "2")


def test_via_and_call_depth(mesh):
    origin, _, client = one_service(mesh, handler=lambda call: call.answer(headers=[("Via", "1.1 origin")]), server={"maxCallDepth": 3})
    response = client.get("web", headers=[("Via", "1.0 one"), ("via", "1.1 two")])
    assert origin.last.header("via") == "1.0 one, 1.1 two, 1.1 linkerd"
    assert response.header("via") == "1.1 origin, 1.1 linkerd"
    response = client.get("web", headers=[("Via", "1.1 a, 1.1 b"), ("Via", "1.1 c, 1.1 d")])
    assert response.status == 400
    assert response.text == "Maximum number of calls (3) has been exceeded. Please check for proxy loops."
    assert len(origin.requests) == 1


def test_proxy_loop_ends(mesh):
    """A router that routes to itself."""
    weft = mesh.weft(dtab=f"/svc => {FS}", server={"maxCallDepth": 20})
    mesh.service("web", weft.address())
    response = mesh.client(weft).get("web")
    assert response.status == 400
    assert "proxy loops" in response.text
    mesh.service("web")  # ends weft's connections to itself


def test_via_of_http10(mesh):
    origin, _, client = one_service(mesh)
    assert client.get("web", version="1.0").status == 200
    assert origin.last.header("via") == "1.0 linkerd"


def test_success_class(mesh):
    statuses = iter([200, 404, 500, 503])
    _, weft, client = one_service(mesh, handler=lambda call: call.answer(next(statuses), headers=[("l5d-success-class", "0.7")]))
    assert [client.get("web").header("l5d-success-class") for _ in range(4)] == ["1.0", "1.0", "0.0", "0.0"]
    wait_until(lambda: weft.metric("out/service/svc/web/failures") == 2, "the failures")
    assert weft.metric("out/service/svc/web/success") == 2
    assert weft.metric("failures/com.twitter.finagle.service.ResponseClassificationSyntheticException") == 0


def test_all_successful(mesh):
    _, weft, client = one_service(mesh, handler=lambda call: call.answer(500),
                                  service={"responseClassifier": {"kind": "io.l5d.http.allSuccessful"}})
    assert client.get("web").header("l5d-success-class") == "1.0"
    wait_until(lambda: weft.metric("out/service/svc/web/success") == 1, "the success")


def test_clear_context(mesh):
    """Callers from outside are not believed, and learn nothing of the inside."""
    def handler(call):
        headers = [("l5d-other", "1"), ("L5D-reqid", "2"), ("X-Fine", "3")]
        if call.message.target == b"/error":
            call.answer(503, b"about the inside", [("l5d-err", "about+the+inside"), *headers])
        else:
            call.answer(200, b"fine", headers)

    origin, _, client = one_service(mesh, handler=handler, server={"clearContext": True})
    mesh.service("other", mesh.origin(body=b"other"))
    forged = {"l5d-dtab": f"/svc/web => {FS}/other", "l5d-ctx-dtab": f"/svc/web => {FS}/other", "l5d-sample": "1.0",
              "l5d-ctx-trace": trace_header(1, 2, 3, 6), "l5d-ctx-deadline": "5 6", "L5d-Anything": "x", "X-Own": "y"}
    response = client.get("web", headers=forged)
    assert response.text == "fine"
    assert not [name for name, _ in response.raw_headers if name.lower().startswith(b"l5d-")]
    assert response.header("x-fine") == "3"
    assert origin.last.header("x-own") == "y"
    assert origin.last.header("l5d-anything") is None
    assert origin.last.header("l5d-ctx-dtab") is None
    assert origin.last.header("l5d-ctx-deadline") is None
    assert trace_of(origin.last)["trace"] != 3
    response = client.get("web", "/error")
    assert (response.status, response.body) == (503, b"")
    assert response.header("l5d-err") is None
    response = client.get("nobody")
    assert (response.status, response.body) == (502, b"")
    assert not [name for name, _ in response.raw_headers if name.lower().startswith(b"l5d-")]
    assert client.get("web").text == "fine"


# ---- errors ----

def error_of(response):
    """The decoded l5d-err, which must be the beginning of the body."""
    text = urllib.parse.unquote_plus(response.header("l5d-err"))
    assert response.header("content-type").startswith("text/plain")
    assert response.text.startswith(text)
    return text


def test_unidentified(mesh):
    _, weft, client = one_service(mesh)
    for _ in range(2):
        response = client.get("", target="/x")
        assert response.status == 400
        assert response.text.startswith('Unknown destination: Request("GET /x", from 127.0.0.1:')
        assert response.text.lower().endswith(" / host header is absent")
        error_of(response)
    wait_until(lambda: weft.metric("server/127.0.0.1/%d/requests" % weft.address()[1]) == 2, "the requests")


def test_unbound(mesh):
    weft = mesh.weft(dtab="/svc => /a ; /a => ~")
    response = mesh.client(weft).get("web", headers={"l5d-dtab": "/b => /c"})
    assert response.status == 502
    assert response.text.splitlines() == [
        "Unable to route request!", "", "service name: /svc/web", "dtab:", "  /svc => /a", "  /a => ~", "  /b => /c", "base dtab:", "  /svc => /a",
        "  /a => ~", "override dtab:", "  /b => /c"]
    error_of(response)
    assert response.header("l5d-retryable") == "true"


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_connect_failure(mesh):
    port = closed_port()
    mesh.service("web", ("127.0.0.1", port))
    weft = mesh.weft()
    response = mesh.client(weft).get("web")
    assert response.status == 502
    assert response.text.startswith(f"Unable to establish connection to 127.0.0.1:{port}.\n\n")
    for part in ("service name: /svc/web", "client name: /#/io.l5d.fs/web", f"addresses: [127.0.0.1:{port}]", f"selected address: 127.0.0.1:{port}"):
        assert part in response.text
    error_of(response)
    assert response.header("l5d-retryable") == "true"


def silent(call):
    """Answers nothing; ends with the connection."""
    while call.peer.receive():
        pass


@pytest.mark.parametrize("router, wait", [
    ({"client": {"requestAttemptTimeoutMs": 120}}, 120),
    ({"service": {"totalTimeoutMs": 130}}, 130),
    ({"server": {"timeoutMs": 140}}, 140),
    ({"client": {"requestAttemptTimeoutMs": 60000}, "service": {"totalTimeoutMs": 150}}, 150),
])
def test_timeouts(mesh, router, wait):
    origin, weft, client = one_service(mesh, handler=silent, **router)
    began = time.monotonic()
    response = client.get("web")
    assert time.monotonic() - began >= wait / 1000
    assert response.status == 503
    assert response.text.startswith(f"exceeded {wait}.milliseconds to ")
    error_of(response)
    wait_until(lambda: origin.peers[0].ended.is_set(), "the connection to the origin to be closed")
    wait_until(lambda: weft.metric("client/#/io.l5d.fs/web/failures") == 1, "the failure")


def test_timeout_of_a_request_whose_body_never_ends(mesh):
    origin, _, client = one_service(mesh, service={"totalTimeoutMs": 100})
    client.send(request_bytes("POST", host="web", headers={"Content-Length": "10"}) + b"12345")
    response = client.response("POST")
    assert response.status == 503
    wait_until(lambda: origin.peers[0].ended.is_set(), "the connection to the origin to be closed")
    client.send(b"67890")  # whose rest is dropped
    client.send(request_bytes("POST", host="web", headers={"Content-Length": "10"}))
    assert client.response("POST").status == 503


def test_origin_that_closes_without_an_answer(mesh):
    origin, _, client = one_service(mesh, handler=lambda call: call.close())
    response = client.get("web")
    assert response.status == 502
    assert f"127.0.0.1:{origin.port}" in error_of(response)


@pytest.mark.parametrize("threads", [1, 4])
def test_max_concurrent_requests(mesh, threads):
    """For the process, not for each worker; what is too much is rejected at once, and places come back."""
    limit, release = 5, threading.Event()

    def handler(call):
        if call.message.target == b"/hold":
            assert release.wait(PATIENCE)
        call.answer(body=b"ok")

    origin = mesh.origin(handler)
    mesh.service("web", origin)
    weft = mesh.weft(threads=threads, server={"maxConcurrentRequests": limit})
    holders = [mesh.client(weft) for _ in range(limit)]
    for holder in holders:
        holder.send_request("GET", "/hold", "web")
    wait_until(lambda: len(origin.requests) == limit, "all places to be taken")
    for _ in range(8):
        response = mesh.client(weft).get("web")
        assert response.status == 503
        assert response.header("l5d-err")
    release.set()
    assert [holder.response().text for holder in holders] == ["ok"] * limit
    wait_until(lambda: weft.metric("pending") == 0, "the places to be free")
    assert mesh.client(weft).get("web").text == "ok"
    assert weft.metric("failures/com.twitter.finagle.filter.TooManyConcurrentRequests") == 8


def test_max_forwards(mesh):
    origin, _, client = one_service(mesh)
    assert client.request("TRACE", "web", headers={"Max-Forwards": "0"}).status == 200
    assert origin.requests == []
    assert client.request("OPTIONS", "web", headers={"Max-Forwards": "7"}).status == 200
    assert origin.last.header("max-forwards") == "6"
    assert client.get("web", headers={"Max-Forwards": "0"}).status == 200
    assert origin.last.header("max-forwards") == "0"


# ---- static kinds ----

def test_static_configs_by_prefix(mesh):
    counts = collections.Counter()

    def handler(call):
        counts[call.message.header("host")] += 1
        call.answer(500)

    origin = mesh.origin(handler)
    for name in ("a", "b", "c"):
        mesh.service(name, origin)
    weft = mesh.weft(
        service={"kind": "io.l5d.static", "configs": [
            {"prefix": "/svc", "retries": {"budget": {"minRetriesPerSec": 1, "percentCanRetry": 0.0, "ttlSecs": 3}}},
            {"prefix": "/svc/a", "responseClassifier": {"kind": "io.l5d.http.retryableRead5XX"}},
            {"prefix": "/svc/*", "totalTimeoutMs": 30000},
            {"prefix": "/svc/{x}b", "totalTimeoutMs": 60000},
        ]},
        client={"kind": "io.l5d.static", "configs": [
            {"prefix": "/", "failureAccrual": {"kind": "none"}},
            {"prefix": "/#/io.l5d.fs/c", "requestAttemptTimeoutMs": 5000},
        ]})
    client = mesh.client(weft)
    for name in ("a", "b", "c"):
        assert client.get(name).status == 500
    assert counts == {"a": 4, "b": 1, "c": 1}  # three retries are in a's budget
    stamp, deadline = map(int, origin.requests[-2].header("l5d-ctx-deadline").split())
    assert abs(deadline - stamp - 60 * 10**9) < 10**9
    assert weft.metric("service/svc/a/retries/total") == 3
