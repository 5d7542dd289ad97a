# SPDX-License-Identifier: Apache-2.0
"""The admin server: every page, as scripts and dashboards of Linkerd 1.x's users read them."""

import json
import signal
import subprocess
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from dns import NameServer
from mesh import PATIENCE, wait_until

FS = "/#/io.l5d.fs"
JSON = {"Content-Type": "application/json"}


def traffic(mesh, weft, good=3, bad=2):
    client = mesh.client(weft)
    for _ in range(good):
        assert client.get("web").status == 200
    for _ in range(bad):
        assert client.get("nobody").status == 502
    wait_until(lambda: weft.metric("pending") == 0, "the requests to end")


def start(mesh, **top):
    mesh.service("web", mesh.origin())
    return mesh.weft(mesh.config(**top))


# ---- simple ones ----

def test_ping(mesh):
    weft = start(mesh)
    answer = weft.admin("/admin/ping")
    assert (answer.status, answer.text) == (200, "pong")
    assert weft.admin("/admin/ping", "HEAD").body == b""
    assert weft.admin("/admin/ping", "POST").status == 405
    assert weft.admin("/admin/pin").status == 404
    assert weft.admin("/").status in (200, 404)


def test_list_of_pages(mesh):
    weft = start(mesh)
    assert weft.admin("/admin").text == weft.admin("/admin/index.txt").text
    pages = [line.split() for line in weft.admin("/admin").text.splitlines()]
    assert {"/admin/ping", "/admin/metrics.json", "/admin/metrics/prometheus", "/delegator.json", "/config.json", "/bound-names.json",
            "/admin/shutdown"} <= {page[0] for page in pages}
    for page in pages:
        if page[1] == "GET" and page[0] not in ("/delegator.json", "/explain.json", "/tap.json"):  # need parameters, or somebody who leaves
            assert weft.admin(page[0]).status == 200, page[0]


def test_config_is_the_one_that_runs(mesh):
    config = mesh.config()
    mesh.service("web", mesh.origin())
    weft = mesh.weft(config)
    answer = weft.admin("/config.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == config
    config["routers"][0]["dtab"] = f"/svc => {FS}/web"
    weft.reload(config)
    wait_until(lambda: weft.admin("/config.json").json() == config, "the new configuration")


def test_dtabs_with_their_lines(mesh):
    weft = mesh.weft(mesh.config(mesh.router("one", dtab="/srv => /#/io.l5d.fs ;\n/svc => 2 * /srv & /host | ~"), mesh.router("two", dtab="")))
    one, two = weft.admin("/dtabs.json").json()
    assert (one["router"], one["file"]) == ("one", str(weft.path))
    assert [(entry["prefix"], entry["dst"]) for entry in one["entries"]] == [("/srv", "/#/io.l5d.fs"), ("/svc", "2 * /srv & /host | ~")]
    assert all(entry["line"] > 1 for entry in one["entries"])
    assert (two["router"], two["entries"]) == ("two", [])


def test_bound_names(mesh):
    weft = start(mesh)
    assert weft.admin("/bound-names.json").json() == []
    traffic(mesh, weft)
    assert weft.admin("/bound-names.json").json() == ["/#/io.l5d.fs/web"]


# ---- httpIdentifierPort ----

def test_identifiers_name_the_request_itself(mesh):
    routers = [mesh.router("out", "/svc => /#/io.l5d.fs ; /a=>/b"),
               mesh.router("tokens", "", dstPrefix="/t", identifier={"kind": "io.l5d.header.token", "header": "X-Name"})]
    weft = mesh.weft(mesh.config(*routers, admin={"httpIdentifierPort": 0}))
    client = mesh.client(weft.identifier_address)
    base = "/svc=>/#/io.l5d.fs;/a=>/b"

    answer = client.get("web:80", "/any/path")
    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    assert json.loads(answer.body) == {"out": {"path": "/svc/web:80", "dtab": base}, "tokens": {"error": "x-name header is absent"}}

    headers = {"X-Name": "some/name", "l5d-dtab": "/svc/web => /svc/other;"}
    assert json.loads(client.get("web", headers=headers).body) == {
        "out": {"path": "/svc/web", "dtab": base + ";/svc/web=>/svc/other"},
        "tokens": {"path": "/t/some\\x2fname", "dtab": "/svc/web=>/svc/other"}}

    told = json.loads(client.get("web", headers={"l5d-dtab": "/svc => ?"}).body)
    assert set(told["out"]) == {"error"} and told["out"] == told["tokens"]
    assert json.loads(client.request("POST", host="web", body=b"x" * 1000).body)["out"]["path"] == "/svc/web"


def test_identifiers_are_those_that_run(mesh):
    config = mesh.config(mesh.router("out", "/svc => /a"), admin={"httpIdentifierPort": 0})
    weft = mesh.weft(config)
    client = mesh.client(weft.identifier_address)
    assert json.loads(client.get("web").body) == {"out": {"path": "/svc/web", "dtab": "/svc=>/a"}}
    config["routers"] = [mesh.router("later", "/svc => /b")]
    weft.reload(config)
    wait_until(lambda: json.loads(client.get("web").body) == {"later": {"path": "/svc/web", "dtab": "/svc=>/b"}}, "the new router")


def test_without_the_key_there_is_no_identifier_port(mesh):
    weft = start(mesh)
    assert not any(line.startswith("identifiers") for line in weft.lines)


def test_recent_requests(mesh):
    weft = start(mesh, telemetry=[{"kind": "io.l5d.recentRequests", "sampleRate": 1.0, "capacity": 5}])
    traffic(mesh, weft, good=7, bad=0)
    page = weft.admin("/requests")
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.text.count("<td>/svc/web</td>") == 5
    assert page.text.count(f"<td>127.0.0.1:{mesh.origins[0].port}</td>") == 5
    assert start(mesh).admin("/requests").status == 404


def test_names_from_outside_are_escaped(mesh):
    weft = start(mesh, telemetry=[{"kind": "io.l5d.recentRequests", "sampleRate": 1.0}],
                 routers=[mesh.router(identifier={"kind": "io.l5d.header.token", "header": "X-Name"}, dtab=f"/svc => {FS}/web")])
    assert mesh.client(weft).get("h", headers={"X-Name": '<b>"&amp'}).status == 200
    page = weft.admin("/requests").text
    assert "<b>" not in page
    assert "/svc/\\x3cb\\x3e" in page or "&lt;b&gt;" in page
    assert json.loads(weft.admin("/admin/metrics.json").body)


# ---- metrics ----

def test_metrics_are_there_at_once(mesh):
    weft = start(mesh)
    traffic(mesh, weft)
    metrics = weft.metrics()
    server = f"rt/out/server/127.0.0.1/{weft.address()[1]}/"
    for key, value in {
        server + "requests": 5, server + "success": 3, server + "failures": 2, server + "status/200": 3, server + "status/2XX": 3,
        server + "status/502": 2, server + "status/5XX": 2, server + "request_latency_ms.count": 5,
        "rt/out/service/svc/web/requests": 3, "rt/out/service/svc/web/success": 3, "rt/out/service/svc/web/retries/total": 0,
        "rt/out/service/svc/nobody/failures": 2, "rt/out/service/svc/web/retries/budget": 100,
        "rt/out/client/#/io.l5d.fs/web/requests": 3, "rt/out/client/#/io.l5d.fs/web/success": 3, "rt/out/client/#/io.l5d.fs/web/status/200": 3,
        "rt/out/client/#/io.l5d.fs/web/service/svc/web/requests": 3, "rt/out/client/#/io.l5d.fs/web/connections": 1,
        "rt/out/client/#/io.l5d.fs/web/loadbalancer/size": 1, "rt/out/client/#/io.l5d.fs/web/failure_accrual/removals": 0,
    }.items():
        assert metrics[key] == value, key
    assert metrics[server + "request_latency_ms.max"] >= metrics[server + "request_latency_ms.p50"] > 0
    assert metrics["rt/out/client/#/io.l5d.fs/web/connect_latency_ms.count"] == 1
    assert metrics[server + "received_bytes"] > 0 and metrics[server + "sent_bytes"] > 0
    for gauge in ("jvm/uptime", "jvm/mem/current/used", "jvm/thread/count", "jvm/fd_count"):
        assert metrics[gauge] > 0


def test_times_by_class_and_idle_connections(mesh):
    weft = start(mesh)
    traffic(mesh, weft)
    metrics = weft.metrics()
    server = "rt/out/server/{}/{}/".format(*weft.address())
    client = "rt/out/client/#/io.l5d.fs/web/"
    assert (metrics[server + "time/2XX.count"], metrics[server + "time/5XX.count"]) == (3, 2)
    assert metrics[client + "time/2XX.count"] == 3
    assert metrics[client + "time/2XX.sum"] <= metrics[server + "time/2XX.sum"] < metrics[server + "request_latency_ms.sum"] + 0.001
    assert not any("time/3XX" in key or "time/4XX" in key or client + "time/5XX" in key for key in metrics)
    assert metrics[client + "pool_cached"] == metrics[client + "pool_size"] == 1
    assert client + "failed_connect_latency_ms.count" not in metrics
    assert metrics["jvm/heap/max"] > metrics["jvm/heap/used"]


def test_connections_that_could_not_be_made_are_timed(mesh):
    dead = mesh.origin()
    mesh.service("web", dead)
    dead.close()
    weft = mesh.weft()
    assert mesh.client(weft).get("web").status == 502
    metrics = weft.metrics()
    client = "rt/out/client/#/io.l5d.fs/web/"
    assert metrics[client + "failed_connect_latency_ms.count"] == metrics[client + "service_creation/failures"] > 0
    assert metrics[client + "pool_cached"] == 0


def test_names_with_a_dtab_of_their_own_are_counted_apart(mesh):
    weft = start(mesh)
    client = mesh.client(weft)
    for _ in range(2):
        assert client.get("web").status == 200
        assert client.get("web", headers={"l5d-dtab": "/x => /y"}).status == 200
    metrics = weft.metrics()
    assert (metrics["rt/out/bindcache/path/misses"], metrics["rt/out/bindcache/tree/misses"]) == (1, 1)


def test_the_resolver_is_counted(mesh, tmp_path):
    origin = mesh.origin()
    server = NameServer({"web.example": ["127.0.0.1"]})
    try:
        config = mesh.config(mesh.router("out", f"/svc => /$/inet; /svc/web => /$/inet/web.example/{origin.port}"),
                             dns={"resolvConf": server.resolv_conf(tmp_path / "resolv.conf")})
        weft = mesh.weft(config)
        assert weft.metrics()["dns/lookups"] == 0
        assert mesh.client(weft).get("web").status == 200
        metrics = weft.metrics()
        assert metrics["dns/lookups"] >= 1 and metrics["dns/found"] >= 1 and metrics["dns/queries"] >= 2
        assert metrics["dns/failed"] == metrics["dns/refused"] == 0
        assert "dns:queries" in weft.admin("/admin/metrics/prometheus").text
    finally:
        server.close()


def test_part_of_the_metrics(mesh):
    weft = start(mesh)
    traffic(mesh, weft)
    part = weft.admin("/admin/metrics.json?q=rt/out/service/svc/web").json()
    scope = "rt/out/service/svc/web/"
    assert part == {key.removeprefix(scope): value for key, value in weft.metrics().items() if key.startswith(scope)}
    assert part["requests"] == 3
    answer = weft.admin("/admin/metrics.json?q=rt/none")
    assert (answer.status, answer.json()) == (404, {"error": "No such subtree: rt/none"})


def test_tree_of_metrics(mesh):
    weft = start(mesh)
    traffic(mesh, weft)
    tree = weft.admin("/admin/metrics.json?tree=1").json()
    router = tree["rt"]["out"]
    assert router["server"][f"127.0.0.1/{weft.address()[1]}"]["requests"] == {"counter": 5}
    client = router["client"]["#/io.l5d.fs/web"]
    assert client["service"]["svc/web"]["requests"] == {"counter": 3}
    assert client["loadbalancer"]["size"] == {"gauge": 1}
    assert client["request_latency_ms"]["stat.count"] == 3
    assert weft.admin("/metrics.json").status == 200
    assert b"\n" in weft.admin("/admin/metrics.json?pretty=true").body


def test_prometheus(mesh):
    weft = start(mesh)
    traffic(mesh, weft)
    page = weft.admin("/admin/metrics/prometheus")
    assert page.headers["Content-Type"].startswith("text/plain")
    samples = {(sample.name, frozenset(sample.labels.items())): sample.value
               for family in text_string_to_metric_families(page.text) for sample in family.samples}
    server = {"rt": "out", "server": f"127.0.0.1/{weft.address()[1]}"}
    client = {"rt": "out", "client": "#/io.l5d.fs/web"}
    for name, labels, value in (
        ("rt:server:requests", server, 5), ("rt:server:success", server, 3), ("rt:server:status:5XX", server, 2),
        ("rt:client:requests", client, 3), ("rt:client:service:success", {**client, "service": "svc/web"}, 3),
        ("rt:service:retries:total", {"rt": "out", "service": "svc/web"}, 0), ("rt:client:request_latency_ms_count", client, 3),
    ):
        assert samples[name, frozenset(labels.items())] == value, name
    assert ("rt:client:request_latency_ms", frozenset({**client, "quantile": "0.99"}.items())) in samples


def test_prometheus_elsewhere_with_a_prefix(mesh):
    weft = start(mesh, telemetry=[{"kind": "io.l5d.prometheus", "path": "/metrics", "prefix": "mesh_"}])
    traffic(mesh, weft)
    assert weft.admin("/admin/metrics/prometheus").status == 404
    lines = weft.admin("/metrics").text.splitlines()
    assert lines and all(line.startswith("mesh_") for line in lines)


def test_no_prometheus_unless_asked_for(mesh):
    assert start(mesh, telemetry=[]).admin("/admin/metrics/prometheus").status == 404


# ---- the delegator ----

def types_of(node):
    """The type of each node on the way, alternatives as a list."""
    if "delegate" in node:
        return [node["type"], *types_of(node["delegate"])]
    if "alt" in node:
        return [node["type"], [types_of(branch) for branch in node["alt"]]]
    if "union" in node:
        return [node["type"], [(branch["weight"], types_of(branch["tree"])) for branch in node["union"]]]
    return [node["type"]]


def test_delegation_of_a_name(mesh):
    origin = mesh.origin()
    mesh.service("web", origin)
    weft = mesh.weft(dtab=f"/srv => {FS}; /svc => /srv")
    answer = weft.delegate("/svc/web/rest")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    tree = answer.json()
    assert types_of(tree) == ["delegate", "delegate", "leaf"]
    assert tree["path"] == "/svc/web/rest"
    line = 1 + [number for number, line in enumerate(weft.path.read_text().splitlines()) if "/svc => /srv" in line][0]
    assert tree["delegate"]["dentry"] == {"prefix": "/svc", "dst": "/srv", "line": line}
    leaf = tree["delegate"]["delegate"]
    assert leaf["path"] == "/#/io.l5d.fs/web/rest"
    assert leaf["bound"] == {"addr": {"type": "bound", "addrs": [{"ip": "127.0.0.1", "port": origin.port, "meta": {}}], "meta": {}},
                             "id": "/#/io.l5d.fs/web", "path": "/rest"}


@pytest.mark.parametrize("dtab, types", [
    ("", ["neg"]),
    (f"/svc => {FS}", ["delegate", "leaf"]),
    (f"/svc => {FS}; /svc => /none", ["alt", [["neg"], ["leaf"]]]),
    (f"/svc/web => {FS}/web | {FS}/none | ~ | ! | $", ["alt", [["leaf"], ["neg"], ["neg"], ["fail"], ["empty"]]]),
    (f"/svc/web => 1 * {FS}/web & 3 * {FS}/none", ["delegate", "union", [(1.0, ["leaf"]), (3.0, ["neg"])]]),
    ("/svc => /$/fail", ["delegate", "delegate", "fail"]),
    ("/svc => /$/nil", ["delegate", "delegate", "empty"]),
    ("/svc => /$/io.buoyant.nothing", ["delegate", "exception"]),
])
def test_delegations_of_all_kinds(mesh, dtab, types):
    """All alternatives are shown, not only the one that would be taken."""
    weft = start(mesh)
    for answer in (weft.delegate("/svc/web", dtab), weft.admin("/delegator.json", "POST", json.dumps({"path": "/svc/web", "dtab": dtab}), JSON)):
        assert answer.status == 200
        assert types_of(answer.json()) == types


def test_transformed_delegation(mesh):
    mesh.service("web", ("127.0.0.1", 1000))
    weft = mesh.weft(interpreter={"kind": "default", "transformers": [{"kind": "io.l5d.port", "port": 4141}]})
    node = weft.delegate("/svc/web").json()["delegate"]
    assert (node["type"], node["name"]) == ("transformation", "io.l5d.port")
    assert node["bound"]["addr"]["addrs"][0]["port"] == 1000
    assert node["tree"]["bound"]["id"] == "/%/io.l5d.port/4141/#/io.l5d.fs/web"
    assert node["tree"]["bound"]["addr"]["addrs"][0]["port"] == 4141


def test_delegation_in_the_router_that_is_named(mesh):
    mesh.service("web", mesh.origin())
    weft = mesh.weft(mesh.config(mesh.router("one", dtab="/svc => ~"), mesh.router("two", dtab=f"/svc => {FS}")))
    assert types_of(weft.delegate("/svc/web").json())[-1] == "neg"
    assert types_of(weft.delegate("/svc/web", namespace="two").json())[-1] == "leaf"
    assert weft.delegate("/svc/web", namespace="three").status in (400, 404)


@pytest.mark.parametrize("query, text", [
    ({"path": "svc"}, "Invalid path: "), ({"path": "/a//b"}, "Invalid path: "), ({"path": "/svc", "dtab": "/a"}, "Invalid dtab: "),
    ({"path": "/svc", "dtab": "/a => /b &"}, "Invalid dtab: "),
])
def test_delegator_errors(mesh, query, text):
    weft = start(mesh)
    answer = weft.delegate(**query)
    assert answer.status == 400
    assert answer.json()["error"].startswith(text)


@pytest.mark.parametrize("body, headers, status", [
    ('{"path": "/svc/web"', JSON, 400), ("", JSON, 400), ("[]", JSON, 400), ('"x"', JSON, 400), ('{"path": 1}', JSON, 400), ('{"dtab": ""}', JSON, 400),
    ('{"path": "/svc/web"}', {"Content-Type": "text/plain"}, 415), ('{"path": "/svc/web"}', {}, 415),
    ('{"path": "/svc/web", "dtab": "' + "x" * (4 << 20) + '"}', JSON, 413),
    ('{"path": "/svc/web"}', {"Content-Type": "application/json; charset=utf-8"}, 200),
], ids=["cut", "empty", "list", "text", "number", "no path", "plain text", "no type", "too large", "with charset"])
def test_delegator_takes_json_only(mesh, body, headers, status):
    weft = start(mesh)
    assert weft.admin("/delegator.json", "POST", body, headers).status == status
    assert weft.admin("/delegator.json", "PUT", "{}", headers).status == 405
    assert weft.admin("/admin/ping").status == 200


def test_delegation_that_takes_too_long(mesh, tmp_path):
    server = NameServer({"slow.example": None})
    try:
        weft = start(mesh, dns={"resolvConf": server.resolv_conf(tmp_path / "resolv.conf")})
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(weft.delegate("/$/inet/slow.example/80")))
        waiting.start()
        wait_until(lambda: server.asked, "the question")
        assert weft.admin("/admin/ping").text == "pong"  # nobody else waits
        assert types_of(weft.delegate("/svc/web").json())[-1] == "leaf"
        waiting.join(PATIENCE)
        assert answers[0].status == 503
        assert answers[0].json()["error"] == "Request timed out."
    finally:
        server.close()


def test_delegation_of_a_dtab_that_goes_in_circles(mesh):
    weft = start(mesh)
    for dtab in ("/svc => /svc", "/svc => /a; /a => /svc", "/svc => /svc | /svc | /svc", "/svc => /svc/x & /svc/y"):
        answer = weft.delegate("/svc/web", dtab)
        assert answer.status == 200
        assert len(answer.body) < 4 << 20
    assert types_of(weft.delegate("/svc/web").json())[-1] == "leaf"


# ---- security ----

UI = ("/config.json", "/admin/metrics.json", "/metrics.json", "/delegator.json?path=/svc")
DIAGNOSTICS = ("/admin/ping", "/admin/metrics/prometheus", "/bound-names.json", "/admin")


@pytest.mark.parametrize("security, allowed, refused", [
    ({}, UI + DIAGNOSTICS, ()),
    ({"uiEnabled": False}, DIAGNOSTICS, UI),
    ({"diagnosticsEnabled": False}, UI, DIAGNOSTICS),
    ({"diagnosticsEnabled": False, "pathWhitelist": ["/admin/p.*"]}, UI + ("/admin/ping",), ("/bound-names.json", "/admin")),
    ({"uiEnabled": False, "pathWhitelist": ["/config\\.json", "/x"]}, ("/config.json",), ("/delegator.json?path=/svc",)),
    ({"pathBlacklist": ["/admin/.*"]}, ("/config.json", "/bound-names.json", "/admin"), ("/admin/ping", "/admin/metrics.json", "/admin/p%69ng")),
])
def test_security(mesh, security, allowed, refused):
    weft = start(mesh, admin={"security": security})
    for path in allowed:
        assert weft.admin(path).status == 200, path
    for path in refused:
        assert weft.admin(path).status == 404, path
    # There may be no metrics to look at: only that it ends well.
    weft.signal(signal.SIGTERM)
    weft.wait_end()


# ---- logging ----

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def level_of(weft, logger):
    return {entry["logger"]: entry["level"] for entry in weft.admin("/logging.json").json()}[logger]


def test_levels_change_what_is_logged(mesh):
    weft = start(mesh)
    client = mesh.client(weft)
    assert client.get("nobody").status == 502
    assert level_of(weft, "proxy") == "INFO" and "DEBUG" not in weft.stderr
    answer = weft.admin("/logging.json", "POST", "logger=proxy&level=debug", FORM)
    assert answer.status == 200 and {"logger": "proxy", "level": "DEBUG"} in answer.json()
    assert client.get("nobody").status == 502
    wait_until(lambda: "DEBUG proxy: answered 502: " in weft.stderr, "the debug line")
    assert "INFO admin: the level of proxy is now DEBUG" in weft.stderr
    assert "DEBUG discover" not in weft.stderr
    assert level_of(weft, "discover") == "INFO"
    # All of them; then discovery tells what it sees.
    assert weft.admin("/logging.json?logger=root&level=DEBUG", "POST").status == 200
    mesh.service("web", ("127.0.0.1", 1), ("127.0.0.1", 2))
    client.get("web")
    wait_until(lambda: "web is bound, with 2 endpoints" in weft.stderr, "discovery's debug line")
    assert weft.admin("/logging.json?logger=root&level=ERROR", "POST").status == 200
    lines = weft.stderr.count("DEBUG")
    assert client.get("nobody").status == 502
    assert weft.stderr.count("DEBUG") == lines


@pytest.mark.parametrize("query", ["logger=proxy", "level=DEBUG", "logger=proxy&level=LOUD", "logger=nobody&level=DEBUG", ""])
def test_levels_that_are_none(mesh, query):
    weft = start(mesh)
    before = weft.admin("/logging.json").json()
    assert weft.admin("/logging.json", "POST", query, FORM).status == 400
    assert weft.admin("/logging.json").json() == before


@pytest.mark.parametrize("headers, allowed", [
    ({}, True), ({"Sec-Fetch-Site": "same-origin"}, True), ({"Sec-Fetch-Site": "none"}, True), ({"Origin": "HERE"}, True),
    ({"Sec-Fetch-Site": "cross-site"}, False), ({"Sec-Fetch-Site": "same-site"}, False), ({"Origin": "http://evil.example"}, False),
    ({"Origin": "null"}, False), ({"Origin": "HERE", "Sec-Fetch-Site": "cross-site"}, False), ({"Origin": "http://"}, False),
])
def test_pages_of_other_sites_change_nothing(mesh, headers, allowed):
    """What a browser says of who asks; the shutdown is asked for in the same way."""
    weft = start(mesh)
    headers = {name: value.replace("HERE", "http://%s:%d" % weft.admin_address) for name, value in headers.items()}
    answer = weft.admin("/logging.json", "POST", "logger=proxy&level=DEBUG", {**FORM, **headers})
    assert answer.status == (200 if allowed else 403)
    assert level_of(weft, "proxy") == ("DEBUG" if allowed else "INFO")
    if not allowed:
        assert weft.admin("/admin/shutdown", "POST", headers=headers).status == 403
        assert weft.admin("/admin/ping").text == "pong"


def test_the_newest_lines_can_be_read(mesh):
    weft = mesh.weft()
    first = weft.admin("/log.json").json()
    assert first["next"] == len(first["lines"]) and first["lost"] == 0
    began = time.time()
    weft.write({"routers": [{"protocol": "http", "nonsense": 1}]})
    wait_until(lambda: weft.metric("configuration/failures") == 1)
    lines = weft.admin(f"/log.json?since={first['next']}").json()["lines"]
    assert [line["text"] for line in lines if "nonsense" in line["text"] and line["level"] == "ERROR" and line["logger"] == "cli"]
    assert all(abs(line["at_ms"] / 1000 - began) < 30 for line in lines)
    for line in lines:
        assert line["text"] in weft.stderr
    # All from the first on, for who has read another process.
    assert weft.admin("/log.json?since=99999999").json()["lines"] == first["lines"] + lines
    assert weft.admin("/log.json?since=-1").status == 400


def test_logging_may_be_switched_off(mesh):
    weft = start(mesh, admin={"security": {"controlEnabled": False}})
    assert weft.admin("/logging.json").status == 404 and weft.admin("/log.json").status == 200
    assert weft.admin("/logging.json", "POST", "logger=proxy&level=DEBUG", FORM).status == 404


def test_shutdown_may_be_switched_off(mesh):
    weft = start(mesh, admin={"security": {"controlEnabled": False}})
    assert weft.admin("/admin/shutdown", "POST").status == 404
    assert weft.admin("/admin/ping").text == "pong"


def test_shutdown(mesh):
    weft = start(mesh)
    traffic(mesh, weft)
    assert weft.admin("/admin/shutdown").status == 405
    assert weft.admin("/admin/shutdown", "POST").status == 200
    weft.wait_end()


# ---- gRPC's health checking ----

@pytest.fixture(name="ask")
def make_ask():
    """Asks a Weft's admin server with gRPC's own client."""
    channels = []

    def ask(weft, service="", how="Check"):
        channels.append(grpc.insecure_channel("{}:{}".format(*weft.admin_address)))
        stub = health_pb2_grpc.HealthStub(channels[-1])
        asked = health_pb2.HealthCheckRequest(service=service)
        if how == "Watch":
            return list(stub.Watch(asked, timeout=PATIENCE))
        return health_pb2.HealthCheckResponse.ServingStatus.Name(stub.Check(asked, timeout=PATIENCE).status)

    yield ask
    for channel in channels:
        channel.close()


def test_health_by_grpc(mesh, ask):
    weft = start(mesh)
    weft.wait_ready()
    assert ask(weft) == "SERVING"
    with pytest.raises(grpc.RpcError) as unknown:
        ask(weft, "some.Service")
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError) as watched:
        ask(weft, how="Watch")
    assert watched.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert weft.admin("/grpc.health.v1.Health/Check").status == 405


def test_health_by_grpc_while_the_process_ends(mesh, ask):
    held, go_on = threading.Event(), threading.Event()

    def slow(call):
        held.set()
        assert go_on.wait(PATIENCE)
        call.answer()

    mesh.service("web", mesh.origin(slow))
    weft = mesh.weft(mesh.config(admin={"shutdownGraceMs": 20000}))
    weft.wait_ready()
    with mesh.client(weft) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        assert held.wait(PATIENCE)
        assert ask(weft) == "SERVING"
        weft.signal(signal.SIGTERM)
        wait_until(lambda: ask(weft) == "NOT_SERVING")
        go_on.set()
        assert client.response().status == 200
    weft.wait_end()


@pytest.mark.parametrize("option, version", [("--http1.1", "1.1"), ("--http2-prior-knowledge", "2"), ("--http2", "2")])
def test_pages_by_every_version(mesh, option, version):
    weft = start(mesh)
    ip, port = weft.admin_address
    for page, most in (("/admin/ping", 4), ("/admin/metrics.json", 1 << 20)):
        done = subprocess.run(["curl", "-sS", option, "-w", "\n%{http_code} %{http_version}", f"http://{ip}:{port}{page}"],
                              stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
        body, _, said = done.stdout.decode().rpartition("\n")
        assert said == f"200 {version}" and 0 < len(body) <= most


# ---- hostile callers of it ----

@pytest.mark.parametrize("request_bytes", [
    b"GET /admin/ping HTTP/1.1\r\n\r\n", b"GET /admin/ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"nonsense\r\n\r\n",
    b"POST /delegator.json HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
])
def test_bad_requests(mesh, request_bytes):
    weft = start(mesh)
    client = mesh.client(weft.admin_address)
    client.send(request_bytes)
    assert client.response().status == 400
    assert client.at_end()


def test_many_connections_that_say_nothing(mesh):
    weft = start(mesh)
    idle = [mesh.client(weft.admin_address) for _ in range(300)]
    half = [mesh.client(weft.admin_address) for _ in range(20)]
    for client in half:
        client.send(b"GET /admin/pi")
    assert weft.admin("/admin/ping").text == "pong"
    for client in half:
        client.send(b"ng HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.response().text == "pong"
    assert len(idle) == 300


def test_callers_that_leave_while_a_page_is_made(mesh):
    weft = start(mesh)
    for i in range(50):
        client = mesh.client(weft.admin_address)
        client.send(b"GET /delegator.json?path=/svc/web%d HTTP/1.1\r\nHost: a\r\n\r\n" % i)
        client.reset()
    assert weft.admin("/admin/ping").text == "pong"
