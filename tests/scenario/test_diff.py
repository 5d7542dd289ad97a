# SPDX-License-Identifier: Apache-2.0
"""weft diff: what it says of two configurations, compared with what weft explain says of requests that are drawn."""

import json
import pathlib
import random
import re
import subprocess

import pytest

from certificates import Authority
from mesh import PATIENCE, ROOT, WEFT
from test_explain import draw_dtab

HOSTS = ("a", "b", "c", "x", "y", "empty", "other")


def run(*arguments):
    done = subprocess.run([WEFT, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT, check=False)
    return done.returncode, done.stdout, done.stderr


def diff(*arguments):
    return run("diff", *arguments)


@pytest.fixture(name="write")
def make_write(mesh, tmp_path):
    for name in "abc":
        mesh.service(name, mesh.origin())

    def write(name, dtab="/svc => /#/io.l5d.fs", disco=mesh.disco, port=4140, client="", service="", server="", namer=""):
        path = tmp_path / name
        path.write_text(f"namers:\n- kind: io.l5d.fs\n  rootDir: {disco}\n{namer}routers:\n- protocol: http\n  label: out\n  servers:\n"
                        f"  - port: {port}\n{server}  dtab: {json.dumps(dtab)}\n{client}{service}")
        return path

    return write


def ends(path, host):
    """Where a request goes: the part of the explanation that people mean by it."""
    code, out, error = run("explain", path, "-o", "json", f"http://{host}/")
    assert code != 2, f"{error} of {path.read_text()}"
    said = json.loads(out)
    if "destinations" not in said:
        return said["verdict"]
    return sorted((end["kind"], round(end["share"], 6), end.get("client"), end.get("residual"), end.get("status")) for end in said["destinations"])


def both_ways(write, seed, pairs, requests):
    """Soundness: whatever differs is said. And what is said to differ has a destination of another name."""
    rng = random.Random(seed)
    differing = 0
    for _ in range(pairs):
        old = draw_dtab(rng, 5)
        entries = old.split(";") if old else []
        new = entries[:]
        if rng.random() < 0.7 and new:
            new[rng.randrange(len(new))] = draw_dtab(rng, 1) or "/svc => /srv"
        else:
            new.insert(rng.randrange(len(new) + 1), draw_dtab(rng, 1) or "/srv => /#/io.l5d.fs")
        first, second = write("old.yaml", "/svc => /srv; /srv => /#/io.l5d.fs;" + old), write("new.yaml", "/svc => /srv; /srv => /#/io.l5d.fs;" + ";".join(new))
        code, out, error = diff(first, second)
        assert code in (0, 1) and not error, (old, new, error)
        assert bool(out) == (code == 1)
        for host in rng.sample(HOSTS, requests):
            if ends(first, host) != ends(second, host):
                differing += 1
                assert code == 1, f"{host} differs, and nothing is said: {old} / {';'.join(new)}"
                assert "destination" in out or "answer" in out
    assert differing > pairs / 8


def test_whatever_differs_is_said(write):
    both_ways(write, "quick", 12, 3)


@pytest.mark.full
def test_whatever_differs_is_said_of_many(write):
    both_ways(write, "full", 400, 7)


@pytest.mark.parametrize("old, new", [
    ("/svc => /srv; /srv => /#/io.l5d.fs", "/host => /#/io.l5d.fs; /svc => /host"),
    ("/svc => /a | /b; /a => /#/io.l5d.fs; /b => /#/io.l5d.fs/b", "/b => /#/io.l5d.fs/b; /a => /#/io.l5d.fs; /svc => /b; /svc => /a"),
    ("/svc => 1 * /#/io.l5d.fs/a & 3 * /#/io.l5d.fs/b", "/svc => 0.75 * /#/io.l5d.fs/b & 0.25 * /#/io.l5d.fs/a"),
    ("/svc => ! ; /svc/a => /#/io.l5d.fs/a", "/svc => ! | /#/io.l5d.fs; /svc/a => /#/io.l5d.fs/a | /x"),
    ("/svc => ~ | /#/io.l5d.fs", "/svc => /#/io.l5d.fs | /nowhere | ~"),
    ("/svc => /$/io.buoyant.hostportPfx/p; /p => /#/io.l5d.fs", "/q => /#/io.l5d.fs; /svc => /$/io.buoyant.hostportPfx/q"),
])
def test_the_same_in_other_words(write, old, new):
    assert diff(write("old.yaml", old), write("new.yaml", new)) == (0, "", "")


def one(write, old, new):
    first, second = write("old.yaml", **old), write("new.yaml", **new)
    code, out, error = diff("-o", "json", first, second)
    assert (code, error) == (1, "")
    found = json.loads(out)
    text = diff(first, second)[1]
    assert all(difference.get("witness") or difference["key"] in text for difference in found)
    return found


SVC = "/svc => /#/io.l5d.fs"
K8S = "/svc => /#/io.l5d.k8s/default/http"


@pytest.mark.parametrize("old, new, differs, witness, told", [
    ({"dtab": SVC}, {"dtab": SVC + "; /svc/web => /#/io.l5d.fs/web-v2"}, "destination", "'Host: web'", "web-v2"),
    ({"dtab": SVC}, {"dtab": SVC + "; /svc/* => /$/nil"}, "destination", "Host:", "$"),
    ({"dtab": SVC + "; /svc/web => /$/io.buoyant.http.status/418"}, {"dtab": SVC + "; /svc/web => /$/io.buoyant.http.status/420"},
     "destination", "'Host: web'", "status 420"),
    ({"dtab": "/svc => 9 * /#/io.l5d.fs/a & /#/io.l5d.fs/b"}, {"dtab": "/svc => 8 * /#/io.l5d.fs/a & 2 * /#/io.l5d.fs/b"}, "destination", "Host", "80 %"),
    ({"disco": "/tmp/here"}, {"disco": "/tmp/there"}, "destination", "Host", "in /tmp/there"),
    ({"dtab": K8S, "namer": "- kind: io.l5d.k8s\n"}, {"dtab": K8S, "namer": "- kind: io.l5d.k8s\n  port: 8002\n"}, "destination", "Host", "port 8002"),
    ({"dtab": K8S, "namer": "- kind: io.l5d.k8s\n"}, {"dtab": K8S, "namer": "- kind: io.l5d.k8s\n  labelSelector: version\n"},
     "destination", "Host", "labelSelector version"),
    ({"port": 4140}, {"port": 4142}, "listener", "127.0.0.1:4140", "nobody listens there"),
    ({}, {"client": "  client:\n    requestAttemptTimeoutMs: 100\n"}, "client settings", "Host", "goes to"),
    ({}, {"service": "  service:\n    kind: io.l5d.static\n    configs:\n    - prefix: /svc/slow\n      totalTimeoutMs: 100\n"},
     "service settings", "'Host: slow'", "/svc/slow"),
    ({}, {"server": "    maxCallDepth: 3\n"}, "answer", "via", "weft answers 400"),
    ({"server": "  - port: 4150\n"}, {"server": "  - port: 4150\n    maxCallDepth: 3\n"}, "answer", "127.0.0.1:4150", "weft answers 400"),
    ({}, {"server": "    clearContext: true\n"}, "destination", "l5d-dtab", "io.l5d.fs"),
    ({"service": "  identifier: {kind: io.l5d.path, segments: 2}\n", "dtab": SVC},
     {"service": "  identifier: {kind: io.l5d.path, segments: 2}\n", "dtab": SVC + "; /svc/x/y => /#/io.l5d.fs/z"}, "destination", "/x/y", "/z"),
    ({"service": "  identifier: {kind: io.l5d.methodAndHost}\n", "dtab": SVC},
     {"service": "  identifier: {kind: io.l5d.methodAndHost}\n", "dtab": SVC + "; /svc/1.1/DELETE/a => !"}, "destination", "-X DELETE", "!"),
    ({"service": "  identifier: {kind: io.l5d.header}\n", "dtab": SVC},
     {"service": "  identifier: {kind: io.l5d.header}\n", "dtab": SVC + "; /svc/p => !"}, "destination", "l5d-name: /p", "!"),
])
def test_what_differs(write, old, new, differs, witness, told):
    found = one(write, old, new)
    fitting = [difference for difference in found if difference["differs"] == differs and witness in difference.get("witness", "")]
    assert fitting, found
    assert any(told in difference["old"] + difference["new"] for difference in fitting), found


def server(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


MUTUAL = "mutualTls: strict\n"
WEB = "grpcWeb: true\ncors: {allowOrigins: ['https://a.example', 'https://*.b.example']}\n"


@pytest.mark.parametrize("old, new, changes", [
    ("", MUTUAL, {"a caller in plain text": ("served", "TLS is spoken there"), "a workload spiffe://none.example/of/those": ("plain text", "served")}),
    (MUTUAL, "mutualTls: permissive\n", {"a caller in plain text": ("TLS is spoken there", "served")}),
    (MUTUAL + "peerIds: [spiffe://a.example/ns/x/sa/y]\n", MUTUAL + "peerIds: ['spiffe://a.example/ns/*/sa/z']\n",
     {"a workload spiffe://a.example/ns/x/sa/y": ("served", "weft answers 403"), "a workload spiffe://a.example/ns/any/sa/z": ("weft answers 403", "served")}),
    (MUTUAL + "peerIds: [spiffe://a.example/x, spiffe://a.example/y]\n", MUTUAL + "peerIds: [spiffe://a.example/y, spiffe://a.example/x]\n", {}),
    (WEB, "grpcWeb: true\ncors: {allowOrigins: ['https://a.example']}\n", {"a web page of https://any.b.example": ("lets it call", "does not let it call")}),
    ("grpcWeb: true\n", "grpcWeb: true\ncors: {allowOrigins: ['*']}\n",
     {"a web page of https://none-of-those.example": ("does not", "lets it call")}),
])
def test_who_may_come_in(write, old, new, changes):
    ids = "identity: {directory: /ids}\n"
    sides = [write("old.yaml", server=server(old)), write("new.yaml", server=server(new))]
    for side in sides:
        side.write_text(ids + side.read_text())
    code, out, error = diff("-o", "json", *sides)
    assert (code, error) == (1 if changes or old != new and "peerIds" not in old else 0, ""), out
    callers = [difference for difference in json.loads(out) if difference["differs"] == "caller"]
    told = {difference["witness"].split(" at ")[0]: difference for difference in callers}
    assert len(told) == len(callers), "nobody is told twice"
    assert changes.keys() <= told.keys(), told
    for who, (before, after) in changes.items():
        assert before in told[who]["old"] and after in told[who]["new"], told[who]
        assert re.search(r"old\.yaml:6$", told[who]["old"]) and re.search(r"new\.yaml:6$", told[who]["new"])
    assert all(difference["old"].split("  ")[0] != difference["new"].split("  ")[0] for difference in told.values())


OUT = "routers[out]."


INGRESS = "  identifier: {kind: io.l5d.ingress}\n"
CONFIG_MAP = "  interpreter: {kind: io.l5d.k8s.configMap, namespace: default, name: %s, filename: dtab}\n"


@pytest.mark.parametrize("old, new, settings", [
    ({}, {"server": server("maxConcurrentRequests: 5")}, {OUT + "servers[127.0.0.1:4140].maxConcurrentRequests": ("not set", "5  new.yaml:9")}),
    ({"server": server("timeoutMs: 5")}, {"server": server("timeoutMs: 6")}, {OUT + "servers[127.0.0.1:4140].timeoutMs": ("5  old.yaml:9", "6  new.yaml:9")}),
    ({"service": "  httpAccessLog: a\n"}, {"service": "  httpAccessLog: a\n  httpAccessLogFormat: json\n"},
     {OUT + "httpAccessLogFormat": ("not set", "json  new.yaml:11")}),
    ({"server": server("tls: {certPath: /a, keyPath: /b}")}, {"server": server("tls: {certPath: /c, keyPath: /b, caCertPath: /d}")},
     {OUT + "servers[127.0.0.1:4140].tls.certPath": ("/a  old.yaml:9", "/c  new.yaml:9"),
      OUT + "servers[127.0.0.1:4140].tls.caCertPath": ("not set", "/d  new.yaml:9")}),
    ({"namer": "telemetry: [{kind: io.weft.otlp, sampleRate: 0.1}]\n"}, {"namer": "telemetry: [{kind: io.l5d.prometheus}, {kind: io.weft.otlp, sampleRate: 0.2}]\n"},
     {"telemetry[io.weft.otlp].sampleRate": ("0.1  old.yaml:4", "0.2  new.yaml:4")}),
    ({"service": "  maxHeadersKB: 9\n"}, {"service": "  maxHeadersKB: 12\n"}, {OUT + "maxHeadersKB": ("9  old.yaml:10", "12  new.yaml:10")}),
    # Where a cluster's objects say how requests are named, or where names lead, there are no witnesses.
    ({"service": INGRESS}, {"service": INGRESS, "client": "  client: {requestAttemptTimeoutMs: 100}\n"},
     {OUT + "client.requestAttemptTimeoutMs": ("not set", "100  new.yaml:10")}),
    ({"service": INGRESS}, {"service": INGRESS.replace("}", ", namespace: shop}")}, {OUT + "identifier.namespace": ("not set", "shop  new.yaml:10")}),
    ({"service": CONFIG_MAP % "a"}, {"service": CONFIG_MAP % "b"}, {OUT + "interpreter.name": ("a  old.yaml:10", "b  new.yaml:10")}),
])
def test_settings_that_no_request_shows(write, old, new, settings):
    found = {difference["key"]: difference for difference in one(write, old, new) if difference["differs"] == "setting"}
    assert found.keys() == settings.keys()
    for key, (before, after) in settings.items():
        assert before.split("  ")[0] == found[key]["old"].split("  ")[0] and after.split("  ")[0] == found[key]["new"].split("  ")[0]
        assert found[key]["old"].endswith(before.split("  ")[-1]) and found[key]["new"].endswith(after.split("  ")[-1])


DEFAULTS = {
    "server": server("clearContext: false\nmaxCallDepth: 1000\ngrpcWeb: false\nmaxConcurrentStreamsPerConnection: 1000\n"),
    "service": "  maxHeadersKB: 8\n  originator: false\n  bindingTimeoutMs: 10000\n",
    "namer": "admin: {port: 9990, ip: 127.0.0.1, shutdownGraceMs: 10000, security: {uiEnabled: true}}\n",
}


def test_a_default_that_is_written_down_is_no_difference(write):
    assert diff(write("old.yaml"), write("new.yaml", **DEFAULTS)) == (0, "", "")
    assert diff(write("old.yaml", **DEFAULTS), write("new.yaml")) == (0, "", "")


# Keys with their defaults, and with something else; None: whatever else they say has no effect.
SERVER_KEYS = {
    "maxCallDepth": (1000, 10), "clearContext": (False, True), "grpcWeb": (False, True), "label": ("out", "other"), "clientCert": ("sanitize", "append"),
    "maxConcurrentStreamsPerConnection": (1000, 5), "socketOptions": (
        {"noDelay": True, "keepAlive": False, "backlog": 4096, "reusePort": False}, {"backlog": 9}),
    "addForwardedHeader": ({"by": {"kind": "requestRandom"}, "for": {"kind": "requestRandom"}}, {"by": {"kind": "ip"}}),
}
ROUTER_KEYS = {
    "maxHeadersKB": (8, 9), "originator": (False, True), "bindingTimeoutMs": (10000, 9), "maxErrResponseKB": (7, None), "experimental": (True, None),
    "bindingCache": ({"paths": 1000, "trees": 1000, "clients": 3, "idleTtlSecs": 600}, {"paths": 3}),
    "httpAccessLogRollPolicy": ("never", "daily"), "httpAccessLogRotateCount": (-1, 3), "httpAccessLogAppend": (True, False),
    "httpAccessLogFormat": ("linkerd", "json"),
}
TOP_KEYS = {
    "usage": ({"enabled": True, "orgId": "us"}, None), "dns": ({"resolvConf": "/etc/resolv.conf"}, {"resolvConf": "/dev/null"}),
    "admin": ({"port": 9990, "ip": "127.0.0.1", "shutdownGraceMs": 10000, "socketOptions": {"noDelay": True},
               "security": {"uiEnabled": True, "pathWhitelist": [], "pathBlacklist": []}}, {"port": 9991}),
}
TELEMETRY_KEYS = {"path": ("/admin/metrics/prometheus", "/other"), "prefix": ("", "l5d_"), "experimental": (True, None)}
# In which presence alone says something: both have it, with or without the keys in it.
PRESENT = {"addForwardedHeader"}


def drawn(rng, keys, written):
    """Some keys with their defaults: the same ones for the same `rng`, each written down or, with `written` 0, none."""
    chosen = {key: keys[key][0] for key in keys if rng.random() < 0.5}
    return {key: value if written or key not in PRESENT else {} for key, value in chosen.items() if written or key in PRESENT}


def drawn_config(seed, written, change=None):
    """A configuration; `change`: (level, key, value) of a key that says something else."""
    rng = random.Random(seed)
    levels = {name: drawn(rng, keys, written) for name, keys in
              (("server", SERVER_KEYS), ("router", ROUTER_KEYS), ("top", TOP_KEYS), ("telemetry", TELEMETRY_KEYS))}
    if change:
        levels[change[0]][change[1]] = change[2]
    # A log is there, so that its keys may be.
    router = {"protocol": "http", "label": "out", "httpAccessLog": "/tmp/access.log", "servers": [{"port": 4140, **levels["server"]}], **levels["router"]}
    return json.dumps({"routers": [router], "telemetry": [{"kind": "io.l5d.prometheus", **levels["telemetry"]}], **levels["top"]})


@pytest.fixture(name="compared")
def make_compared(tmp_path):
    def compare(old, new):
        (tmp_path / "old.yaml").write_text(old)
        (tmp_path / "new.yaml").write_text(new)
        return diff(tmp_path / "old.yaml", tmp_path / "new.yaml")
    return compare


@pytest.mark.parametrize("seed", range(30))
def test_written_defaults_of_drawn_configurations(compared, seed):
    plain, written = (drawn_config(seed, how) for how in (False, True))
    assert compared(plain, written) == (0, "", "")
    assert compared(written, plain) == (0, "", "")


LEVELS = {"server": SERVER_KEYS, "router": ROUTER_KEYS, "top": TOP_KEYS, "telemetry": TELEMETRY_KEYS}


@pytest.mark.parametrize("level, key", [(level, key) for level, keys in LEVELS.items() for key in keys])
def test_what_a_key_says_else_is_a_difference(compared, level, key):
    """So the test above would notice a key that is never compared."""
    other = LEVELS[level][key][1]
    for seed in range(3):
        before = drawn_config(seed, False, (level, key, {}) if key in PRESENT else None)
        after = drawn_config(seed, True, (level, key, LEVELS[level][key][0] if other is None else other))
        code, out, err = compared(before, after)
        assert (code, err) == (1 if other is not None else 0, ""), out
        assert key in out or other is None or (key, other) == ("grpcWeb", True), out


@pytest.mark.parametrize("where, default, other", [
    ("server", "maxCallDepth: 1000", "maxCallDepth: 10"),
    ("server", "grpcWeb: false", "grpcWeb: true"),
    ("namer", "shutdownGraceMs: 10000", "shutdownGraceMs: 1"),
    ("namer", "uiEnabled: true", "uiEnabled: false"),
])
def test_what_is_no_default_is_a_difference(write, where, default, other):
    assert DEFAULTS[where].count(default) == 1
    new = write("new.yaml", **{**DEFAULTS, where: DEFAULTS[where].replace(default, other)})
    for pair in ((write("old.yaml"), new), (new, write("old.yaml"))):
        code, out, _ = diff(*pair)
        assert code == 1 and out.count("  setting\n") == 1 and other.split(": ")[0] in out and "not set" in out


def test_a_default_of_another_protocol_is_a_difference(write):
    """maxCallDepth is 1000, but 10 for h2."""
    plain, one, other = (write(f"{i}.yaml", server=text) for i, text in enumerate(("", server("maxCallDepth: 10"), server("maxCallDepth: 1000"))))
    for path in (plain, one, other):
        path.write_text(path.read_text().replace("protocol: http", "protocol: h2"))
    assert diff(plain, one) == (0, "", "") and diff(plain, other)[0] == 1


def test_a_telemeter_of_defaults_alone_is_a_difference(write):
    code, out, _ = diff(write("old.yaml"), write("new.yaml", namer="telemetry: [{kind: io.weft.otlp, metrics: false}]\n"))
    assert code == 1 and "telemetry[io.weft.otlp]" in out


@pytest.mark.parametrize("old, new, differs, keys", [
    ("", "  client: {requestAttemptTimeoutMs: 100, loadBalancer: {kind: ewma}}\n", "client settings", "loadBalancer, requestAttemptTimeoutMs"),
    ("", "  client: {tls: {commonName: web}}\n", "client settings", "tls"),
    ("  client: {tls: {commonName: web}}\n", "  client: {tls: {commonName: web, trustCerts: [/ca.pem]}}\n", "client settings", "tls"),
    ("  client: {tls: {commonName: web, trustCerts: [/ca.pem]}}\n", "  client: {tls: {disableValidation: true}}\n", "client settings", "tls"),
    ("", "  service: {totalTimeoutMs: 100, retries: {budget: {percentCanRetry: 0.5}}}\n", "service settings", "totalTimeoutMs, retries.budget"),
    ("", "  service: {responseClassifier: {kind: io.l5d.http.retryableRead5XX}}\n", "service settings", "responseClassifier"),
])
def test_which_settings_a_request_shows(write, old, new, differs, keys):
    found = one(write, {"client": old}, {"client": new})
    assert {(difference["differs"], difference["keys"]) for difference in found} == {(differs, keys)}
    assert all("/svc" in difference["old"] for difference in found) and f"{differs}: {keys}\n" in diff(write("old.yaml", client=old), write("new.yaml", client=new))[1]


def test_files_are_compared_by_what_is_in_them(write, tmp_path):
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    web = authority.issue("web", uri=["spiffe://example.org/ns/a/sa/web"])
    shop = authority.issue("shop", uri=["spiffe://example.org/ns/a/sa/shop"])
    copy = {name: tmp_path / f"copy-of-{name}" for name in ("certificate", "key", "bundle", "other")}
    for name, path in (("certificate", web.certificate), ("key", web.key), ("bundle", authority.bundle), ("other", other.bundle)):
        copy[name].write_bytes(pathlib.Path(path).read_bytes())

    def served(certificate, key, trust):
        return server(f"tls: {{certPath: {certificate}, keyPath: {key}, caCertPath: {trust}}}\n")

    def called(trust):
        return f"  client: {{tls: {{commonName: web, trustCerts: [{trust}]}}}}\n"

    plain = {"server": served(web.certificate, web.key, authority.bundle), "client": called(authority.bundle)}
    same = {"server": served(copy["certificate"], copy["key"], copy["bundle"]), "client": called(copy["bundle"])}
    assert diff(write("old.yaml", **plain), write("new.yaml", **same)) == (0, "", "")
    found = one(write, plain, {**same, "server": served(shop.certificate, shop.key, copy["other"])})
    keys = {difference["key"].split(".tls.")[1]: difference for difference in found if difference["differs"] == "setting"}
    assert set(keys) == {"certPath", "keyPath", "caCertPath"}
    assert "(spiffe://example.org/ns/a/sa/web until 20" in keys["certPath"]["old"] and "/sa/shop until 20" in keys["certPath"]["new"]
    assert "until 20" in keys["caCertPath"]["new"] and "until" not in keys["keyPath"]["new"]
    found = one(write, plain, {**same, "client": called(copy["other"])})
    assert [(difference["differs"], difference["keys"]) for difference in found] == [("client settings", "tls")]


def test_servers_and_routers_that_are_called_otherwise(write):
    """A server without a port is the one at 4140, and a router with another label has the settings of another."""
    usual = write("old.yaml")
    usual.write_text(usual.read_text().replace("  - port: 4140\n", "  - ip: 127.0.0.1\n"))
    limited = write("new.yaml", server=server("maxConcurrentRequests: 5"))
    assert "routers[out].servers[127.0.0.1:4140].maxConcurrentRequests" in diff(usual, limited)[1]
    renamed = write("renamed.yaml", server=server("maxConcurrentRequests: 5"))
    renamed.write_text(renamed.read_text().replace("label: out", "label: other"))
    code, out, _ = diff(write("old.yaml"), renamed)
    assert code == 1 and "routers[other].servers[127.0.0.1:4140].maxConcurrentRequests" in out and "routers[other].label" in out


def test_lines_stand_on_both_sides(write):
    [difference] = one(write, {"dtab": SVC}, {"dtab": SVC + "; /svc/web => /#/io.l5d.fs/web-v2"})
    assert re.search(r"old\.yaml:5 :9", difference["old"]) and re.search(r"new\.yaml:5 :9", difference["new"]) and difference["more"] == 0


def test_trouble(write, tmp_path):
    good, bad = write("good.yaml"), tmp_path / "bad.yaml"
    bad.write_text("routers: 1\n")
    assert diff(good, bad)[0] == 2 and diff(good)[0] == 2 and diff(good, tmp_path / "none.yaml")[0] == 2
