# SPDX-License-Identifier: Apache-2.0
"""weft explain: it says what the proxy then does, for requests and configurations that are drawn, and where that is written."""

import base64
import json
import random
import socket
import ssl
import struct
import subprocess
import urllib.parse

import pytest

from mesh import PATIENCE, WEFT, ROOT
from tls import connect

DEAD = "127.0.0.1:1"
PREFIXES = ("/svc", "/svc/x", "/svc/y", "/svc/*", "/srv", "/srv/a", "/srv/x", "/host", "/host/x", "/#/io.l5d.fs/x", "/svc/x/y")
LEAVES = ("/srv", "/srv/a", "/host", "/host/b", "/#/io.l5d.fs", "/#/io.l5d.fs/a", "/#/io.l5d.fs/b", "/#/io.l5d.fs/empty", "/$/nil",
          "/$/io.buoyant.http.status/418", "/svc/a", "~", "!", "$", "/#/io.l5d.fs/none", "/$/io.buoyant.rinet/1/127.0.0.1")


def draw_tree(rng, depth=0):
    how = rng.random()
    if depth > 1 or how < 0.6:
        return rng.choice(LEAVES)
    if how < 0.8:
        return " | ".join(draw_tree(rng, 2) for _ in range(rng.randrange(2, 4)))
    return " & ".join(f"{rng.choice([1, 2, 0.5])} * {draw_tree(rng, 2)}" for _ in range(rng.randrange(2, 4)))


def draw_dtab(rng, most):
    return ";".join(f"{rng.choice(PREFIXES)} => {draw_tree(rng)}" for _ in range(rng.randrange(most + 1)))


def ends_of(said):
    """Clients that requests may go to, with their endpoints; other ends as None."""
    for end in said["destinations"]:
        if end["kind"] == "leaf":
            yield end["client"], {endpoint["address"] for endpoint in end["endpoints"]}
        else:
            yield None, {end.get("status", 502)}


def agree(weft, origins, client, host, dtab):
    """What /explain.json says of a request, and what becomes of it."""
    head = f"GET / HTTP/1.1\r\nHost: {host}\r\n" + (f"l5d-dtab: {dtab}\r\n" if dtab else "") + "\r\n"
    said = weft.admin("/explain.json", "POST", head).json()
    answer = client.get(host, headers={"l5d-dtab": dtab} if dtab else {})
    forwarded = answer.header("x-origin")
    told = f"{host} {dtab!r}: {json.dumps(said)} but {answer.status} {answer.text} by {forwarded}"
    if "destinations" not in said:
        assert forwarded is None and answer.status == (400 if "error" in said else said["verdict"]["status"]), told
        return
    ends = list(ends_of(said))
    if forwarded:
        went = answer.header("x-client"), origins[forwarded]
        assert any(went[0] == id_ and went[1] in endpoints for id_, endpoints in ends), told
    else:
        statuses = set().union(*(found if id_ is None else () if found - {DEAD} else {502} for id_, found in ends))
        assert answer.status in statuses, told
        if "status" in said["verdict"] and len(ends) == 1:
            assert answer.status == said["verdict"]["status"], told


def pairs(mesh, seed, configurations, requests):
    rng = random.Random(seed)

    def handler(call):
        call.answer(headers=[("x-origin", call.peer.origin.address[1]), ("x-client", call.message.header("l5d-dst-client"))])

    found = [mesh.origin(handler) for _ in range(4)]
    origins = {str(origin.address[1]): f"{origin.address[0]}:{origin.address[1]}" for origin in found}
    mesh.service("a", found[0])
    mesh.service("b", found[1], found[2])
    mesh.service("c", found[3])
    mesh.service("empty")

    def config(number):
        return mesh.config(mesh.router(dtab=f"/number => /{number}; /svc => /#/io.l5d.fs;" + draw_dtab(rng, 6)))

    weft = mesh.weft(config(0))
    for number in range(configurations):
        if number:
            weft.reload(config(number))
        with mesh.client(weft) as client:
            for _ in range(requests):
                agree(weft, origins, client, rng.choice(["a", "b", "c", "x", "y", "empty"]), rng.random() < 0.6 and draw_dtab(rng, 3))


def test_what_is_said_is_what_happens(mesh):
    pairs(mesh, "quick", 10, 50)


@pytest.mark.full
def test_what_is_said_is_what_happens_ten_thousand_times(mesh):
    pairs(mesh, "full", 100, 100)


# ---- who calls ----

DOMAIN = "example.org"


def draw_pattern(rng):
    segments = [rng.choice(["ns", "*", "x"]), rng.choice(["a", "b", "*", "**"])]
    if segments[-1] != "**" and rng.random() < 0.7:
        segments += [rng.choice(["sa", "*", "**"])]
        if segments[-1] != "**" and rng.random() < 0.9:
            segments += [rng.choice(["x", "y", "*", "**"])]
    return f"spiffe://{rng.choice([DOMAIN, DOMAIN, 'other.example'])}/{'/'.join(segments)}"


def callers(folder, *ids):
    """What each of them needs for calling, and a directory with a server's identity."""
    authority = folder / "authority"

    def ca(*arguments):
        subprocess.run([WEFT, "ca", *map(str, arguments)], stdout=subprocess.DEVNULL, timeout=PATIENCE, check=True)

    ca("init", authority, "--trust-domain", DOMAIN)
    contexts = {}
    for number, id_ in enumerate([f"spiffe://{DOMAIN}/ns/web/sa/web", *ids]):
        out = folder / f"id{number}"
        out.mkdir()
        ca("issue", authority, "--id", id_, "--out", f"{out}/")
        contexts[id_] = context = ssl.create_default_context(cafile=out / "bundle.pem")
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(out / "svid.pem")
    return contexts, folder / "id0"


def caller_pairs(mesh, folder, seed, configurations):
    """peerIds and callers that are drawn: what is said of each caller, by a running proxy and by the file, and what becomes of its request."""
    rng = random.Random(seed)
    ids = [f"spiffe://{DOMAIN}/{path}" for path in ("ns/a/sa/x", "ns/a/sa/y", "ns/b/sa/x", "x/b", "ns/a/x/y/z")]
    contexts, own = callers(folder, *ids)
    mesh.service("web", mesh.origin())

    def config(patterns, number=-1):
        server = {"mutualTls": rng.choice(["strict", "permissive"]), **({"peerIds": patterns} if patterns else {})}
        dtab = f"/number => /{number}; /svc => /#/io.l5d.fs"  # no two files are the same: that would be no reload
        return mesh.config(mesh.router(server=server, dtab=dtab), identity={"directory": str(own)})

    weft = mesh.weft(config([]))
    seen = set()
    for number in range(configurations):
        patterns = [draw_pattern(rng) for _ in range(rng.randrange(1 if number else 0, 4))]
        weft.reload(config(patterns, number))
        for id_ in ids:
            query = urllib.parse.urlencode({"request": "GET / HTTP/1.1\r\nHost: web\r\n\r\n", "peer": id_})
            said = weft.admin("/explain.json?" + query).json()
            with connect(mesh, weft, contexts[id_], None) as client:
                status = client.get("web").status
            told = f"{patterns} {id_}: {json.dumps(said)} but {status}"
            assert said["verdict"] == ({"endpoints": 1} if status == 200 else {"status": 403, "why": f"{id_} may not call here"}), told
            assert "callers" in said or not patterns, told
            for server in said.get("callers", []):
                matching = [pattern["pattern"] for pattern in server["patterns"] if "matches" in pattern]
                assert [pattern["pattern"] for pattern in server["patterns"]] == patterns and server["allowed"] == (status == 200), told
                assert len(matching) == (status == 200), told
            seen.add(status)
        if number % 10 == 1:
            by_file = json.loads(explain(weft.path, "--peer", ids[0], "-o", "json", "http://web/")[1])
            query = urllib.parse.urlencode({"request": "GET / HTTP/1.1\r\nHost: web\r\n\r\n", "peer": ids[0]})
            assert by_file["callers"] == weft.admin("/explain.json?" + query).json()["callers"]
    assert seen == {200, 403}


def test_what_is_said_of_callers_is_what_happens(mesh, tmp_path):
    caller_pairs(mesh, tmp_path, "quick", 20)


@pytest.mark.full
def test_what_is_said_of_callers_is_what_happens_a_thousand_times(mesh, tmp_path):
    caller_pairs(mesh, tmp_path, "full", 200)


def test_callers_as_people_read_it(tmp_path):
    config = {
        "namers": [{"kind": "io.l5d.fs", "rootDir": str(tmp_path)}],
        "routers": [{"protocol": "http", "dtab": "/svc => /#/io.l5d.fs",
                     "servers": [{"port": 4143, "mutualTls": "strict", "peerIds": ["spiffe://a/ns/web/**", "spiffe://a/ns/jobs/sa/*"]}]}],
        "identity": {"directory": "."},
    }
    path = tmp_path / "weft.yaml"
    path.write_text(json.dumps(config, indent=1))
    (tmp_path / "web").write_text("127.0.0.1 1\n")
    line = {text: number for number, text in enumerate(path.read_text().splitlines(), 1) if "spiffe" in text for text in [text.split('"')[1]]}
    web, jobs = f"spiffe://a/ns/web/**  {path}:{line['spiffe://a/ns/web/**']}", f"spiffe://a/ns/jobs/sa/*  {path}:{line['spiffe://a/ns/jobs/sa/*']}"
    code, out, error = explain(path, "--peer", "spiffe://a/ns/web/sa/front", "http://web/")
    assert (code, error) == (0, "")
    assert f"caller      spiffe://a/ns/web/sa/front may call 127.0.0.1:4143\n{' ' * 12}by {web}\n" in out and "jobs" not in out
    code, out, error = explain(path, "--peer", "spiffe://a/ns/other", "http://web/")
    assert (code, error) == (1, "")
    assert f"spiffe://a/ns/other may not call 127.0.0.1:4143\n{' ' * 12}only {web}\n{' ' * 12}only {jobs}\n" in out
    assert "answer      403 from here: spiffe://a/ns/other may not call here\n" in out
    code, out, error = explain(path, "http://web/")
    assert (code, error) == (0, "")
    assert f"unknown; who may call 127.0.0.1:4143\n{' ' * 12}only {web}\n{' ' * 12}only {jobs}\n" in out
    code, out, error = explain(path, "--peer", "web", "http://web/")
    assert code == 2 and "no SPIFFE ID" in error


@pytest.mark.parametrize("open_, operator", [("(", "|"), ("(", "&")])
def test_trees_that_are_nested_too_deep(mesh, open_, operator):
    """More levels than JSON is written with: said so, in both pages."""
    weft = mesh.weft()
    dtab = "/svc => " + open_ * 90 + "/srv" + f" {operator} /host)" * 90
    assert "too deep" in weft.delegate("/svc/a", dtab).text
    assert "too deep" in weft.admin("/explain.json", "POST", f"GET / HTTP/1.1\r\nHost: a\r\nl5d-dtab: {dtab}\r\n\r\n").text
    assert weft.admin("/admin/ping").status == 200


# ---- what would happen if the dtab were another ----

def test_a_name_with_another_dtab(mesh):
    """It stands for the router's, entries that are the same keep their lines, and it is what the proxy does when it is loaded."""
    mesh.service("web", "127.0.0.1 1001")
    mesh.service("web-v2", "127.0.0.1 1002")
    weft = mesh.weft(dtab="/host => /#/io.l5d.fs ; /svc => /host")
    edited = "/host => /#/io.l5d.fs ; /svc/web => /host/web-v2"

    def asked(**more):
        return weft.admin("/explain.json", "POST", json.dumps({"namespace": "out", "path": "/svc/web", **more}), {"Content-Type": "application/json"})

    now, then = asked().json(), asked(dtab=edited).json()
    assert dict(ends_of(now)) == {"/#/io.l5d.fs/web": {"127.0.0.1:1001"}}
    assert dict(ends_of(then)) == {"/#/io.l5d.fs/web-v2": {"127.0.0.1:1002"}}
    changed, kept = then["delegation"]["delegate"], then["delegation"]["delegate"]["delegate"]
    assert (changed["dentry"]["prefix"], "line" in changed["dentry"]) == ("/svc/web", False)
    assert kept["dentry"] == now["delegation"]["delegate"]["delegate"]["dentry"] and kept["dentry"]["line"]
    query = urllib.parse.urlencode({"path": "/svc/web", "dtab": edited})
    assert weft.admin("/explain.json?" + query).json() == then
    assert weft.delegate("/svc/web", edited).json() == then["delegation"]
    # A request, too; its own dtab comes behind.
    head = "GET / HTTP/1.1\r\nHost: web\r\nl5d-dtab: /host/web-v2 => /#/io.l5d.fs/web\r\n\r\n"
    body = json.dumps({"request": head, "dtab": edited})
    assert dict(ends_of(weft.admin("/explain.json", "POST", body, {"Content-Type": "application/json"}).json())) == dict(ends_of(now))
    weft.reload(mesh.config(mesh.router(dtab=edited)))
    assert ends_of_name(asked()) == ends_of_name(asked(dtab=edited)) == dict(ends_of(then))


def ends_of_name(answer):
    return dict(ends_of(answer.json()))


@pytest.mark.parametrize("more, text", [
    ({"path": "svc"}, "Invalid path: "), ({"dtab": "/svc =>"}, "Invalid dtab: "), ({"path": "", "request": "GET"}, "the request's head is not whole"),
])
def test_questions_that_are_none(mesh, more, text):
    weft = mesh.weft()
    body = json.dumps({"path": "/svc/web", **more})
    answer = weft.admin("/explain.json", "POST", body, {"Content-Type": "application/json"})
    assert (answer.status, answer.json()["error"][:len(text)]) == (400, text)


def test_a_dtab_in_circles_is_bounded(mesh):
    weft = mesh.weft()
    dtab = "/svc => /svc | /svc ; /svc => /svc & /svc"
    assert "goes in circles" in weft.admin("/explain.json?" + urllib.parse.urlencode({"path": "/svc/web", "dtab": dtab})).text


def test_large_dtabs_keep_their_lines(mesh):
    """5,000 entries of which one is changed, and 5,000 that are all others: both are answered."""
    def dtab(first, changed=None):
        return ";".join(f"/svc/s{first + i} => /#/io.l5d.fs/{'other' if i == changed else 'web'}" for i in range(5000))

    mesh.service("web", "127.0.0.1 1001")
    weft = mesh.weft(dtab=dtab(0))
    for edited, line in (dtab(0, changed=17), True), (dtab(5000), None):
        body = json.dumps({"path": "/svc/s4999", "dtab": edited})
        answer = weft.admin("/delegator.json", "POST", body, {"Content-Type": "application/json"})
        assert answer.status == 200
        assert bool(answer.json().get("delegate", {}).get("dentry", {}).get("line")) == bool(line)
    assert len(weft.admin("/dtabs.json").json()[0]["entries"]) == 5000


# ---- the command ----

CONFIG = """\
namers:
- kind: io.l5d.fs
  rootDir: DISCO
routers:
- protocol: http
  label: out
  servers:
  - port: 0
  dtab: |
    /srv => /#/io.l5d.fs;
    /svc => /srv;
  client:
    requestAttemptTimeoutMs: 20000
"""


@pytest.fixture(name="path")
def make_path(mesh, tmp_path):
    mesh.service("web", mesh.origin())
    path = tmp_path / "explained.yaml"
    path.write_text(CONFIG.replace("DISCO", str(mesh.disco)))
    return path


def explain(*arguments):
    done = subprocess.run([WEFT, "explain", *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT, check=False)
    return done.returncode, done.stdout, done.stderr


def test_by_a_file(path):
    code, out, error = explain(path, "-H", "Host: web", "GET", "/x")
    assert (code, error) == (0, "")
    assert f"{path}:10" in out and f"{path}:11" in out and "requestAttemptTimeoutMs" in out
    assert "/#/io.l5d.fs/web" in out


def test_as_json(path):
    code, out, _ = explain(path, "-o", "json", "http://web/x")
    said = json.loads(out)
    assert code == 0 and said["identify"]["name"] == "/svc/web"
    assert said["delegation"]["delegate"]["dentry"] == {"prefix": "/svc", "dst": "/srv", "line": 11}
    assert said["destinations"][0]["client"] == "/#/io.l5d.fs/web" and said["verdict"] == {"endpoints": 1}


def test_of_a_running_proxy(mesh, path):
    weft = mesh.weft(path.read_text() + "admin: {port: 0}\n")
    address = "%s:%d" % weft.admin_address
    assert "unknown" in explain("--admin", address, "http://web/")[1]
    with mesh.client(weft) as client:
        assert client.get("web").status == 200
    assert "alive" in explain("--admin", address, "http://web/")[1]
    assert explain("--admin", address, "--router", "out", "http://web/")[0] == 0
    assert explain("--admin", address, "--router", "none", "http://web/")[0] == 2


@pytest.mark.parametrize("arguments, code, words", [
    (["http://nobody/"], 1, "bound to nothing"),
    (["-H", "l5d-dtab: /x", "http://web/"], 1, "400 from here"),
    (["/x"], 1, "host header is absent"),
    (["-H", "bad header", "http://web/"], 2, ""),
    (["-H", "Host: a\x01", "/"], 2, ""),
    (["--router", "none", "http://web/"], 2, "none"),
    ([], 2, "which request"),
])
def test_what_does_not_go_anywhere(path, arguments, code, words):
    found, out, error = explain(path, *arguments)
    assert found == code and words in out + error and (out + error)


@pytest.mark.parametrize("method, fields, admitted", [
    ("GET", ["Max-Forwards: 0"], True),
    ("TRACE", ["Max-Forwards: 0"], False),
    ("TRACE", ["Max-Forwards: 2"], True),
    ("OPTIONS", ["Max-Forwards: x"], False),
    ("CONNECT", [], False),
    ("GET", ["Via: 1.1 a, 1.1 b", "Via: 1.1 c"], False),
    ("GET", ["Via: 1.1 a, 1.1 b"], True),
])
def test_who_is_let_in(mesh, method, fields, admitted):
    """By the same function as a request that is sent."""
    mesh.service("web", mesh.origin())
    weft = mesh.weft(server={"maxCallDepth": 2})
    target = "web:80" if method == "CONNECT" else "/"
    said = weft.admin("/explain.json", "POST", f"{method} {target} HTTP/1.1\r\nHost: web\r\n" + "".join(f"{f}\r\n" for f in fields) + "\r\n").json()
    with socket.create_connection(weft.address(), timeout=PATIENCE) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: web\r\n".encode() + "".join(f"{f}\r\n" for f in fields).encode() + b"Connection: close\r\n\r\n")
        status = int(connection.makefile("rb").readline().split()[1])
    assert said["verdict"] == {"endpoints": 1} if admitted else said["verdict"]["status"] == status
    assert (status == 200) if admitted else status in (200, 400, 501)


def test_nobody_there():
    code, out, error = explain("--admin", "127.0.0.1:1", "http://web/")
    assert code == 2 and not out and "refused" in error


# ---- of a request that was sent ----

def past(weft, id_):
    return weft.admin(f"/explain.json?id={id_}")


def reqid(origin):
    return origin.requests[-1].header("l5d-reqid")


def test_what_became_of_one(mesh, path):
    weft = mesh.weft(path.read_text() + "admin: {port: 0}\n")
    origin = mesh.origin()
    mesh.service("other", origin)
    with mesh.client(weft) as client:
        assert client.get("other", headers={"l5d-dtab": "/svc/none => /srv"}).status == 200
    code, out, error = explain("--admin", "%s:%d" % weft.admin_address, "--id", reqid(origin))
    assert (code, error) == (0, "")
    assert f"{weft.path}:11" in out and "by the endpoint" in out and "status 200" in out and "own dtab    /svc/none=>/srv" in out
    assert f"{origin.address[0]}:{origin.address[1]}  weight 1  alive  <- chosen" in out
    [story] = past(weft, reqid(origin)).json()
    assert story["ended_by"] == "endpoint" and not story["reloaded_since"] and len(story["tries"]) == 1
    assert story["now"]["identify"] == {"tried": [{"identifier": "header token", "header": "host", "name": "/svc/other"}], "name": "/svc/other"}
    weft.reload(path.read_text().replace("/srv;", "/nowhere;") + "admin: {port: 0}\n")
    [story] = past(weft, reqid(origin)).json()
    assert story["reloaded_since"]


def test_each_attempt_is_told(mesh):
    def failing(call):
        call.answer(503)

    origins = [mesh.origin(failing), mesh.origin()]
    mesh.service("web", *origins)
    weft = mesh.weft(service={"responseClassifier": {"kind": "io.l5d.http.retryableRead5XX"}}, client={
        "failureAccrual": {"kind": "none"}, "loadBalancer": {"kind": "roundRobin"}})
    with mesh.client(weft) as client:
        for _ in range(2):
            assert client.get("web").status == 200
    id_ = reqid(origins[0])
    assert id_ in [request.header("l5d-reqid") for request in origins[1].requests]
    [story] = past(weft, id_).json()
    first, last = story["tries"]
    assert (first["outcome"], first["status"]) == ("answered", 503) and first["endpoint"].endswith(f":{origins[0].address[1]}")
    assert first["began_us"] >= 0 and first["took_us"] > 0 and first["again_after_us"] >= 0
    assert (last["outcome"], last["status"]) == ("answered", 200) and last["endpoint"].endswith(f":{origins[1].address[1]}")
    endpoints = {endpoint["address"].split(":")[1]: endpoint for endpoint in story["now"]["destinations"][0]["endpoints"]}
    assert endpoints[str(origins[0].address[1])]["why"] == "attempt 1: answered"
    assert endpoints[str(origins[1].address[1])]["chosen"] is True


def test_what_weft_answered_itself(mesh):
    mesh.service("web", mesh.origin())
    weft = mesh.weft()
    trace = base64.b64encode(struct.pack(">QQQQ", 1, 2, 0xabc, 0)).decode()
    with mesh.client(weft) as client:
        assert client.get("none", headers={"l5d-ctx-trace": trace}).status == 502
        assert client.get("web", headers={"l5d-ctx-trace": trace, "l5d-dtab": "/x"}).status == 400
    stories = past(weft, "0" * 13 + "abc").json()
    assert [story["ended_by"] for story in stories] == ["weft"] * len(stories)
    [unbound] = [story for story in stories if story["status"] == 502]
    assert "Unable to route" in unbound["why"] and unbound["tries"] == [] and unbound["now"]["verdict"]["status"] == 502


def test_as_many_are_remembered_as_is_said(mesh):
    origin = mesh.origin()
    mesh.service("web", origin)
    weft = mesh.weft(mesh.config(admin={"requestRecords": 64}))
    with mesh.client(weft) as client:
        for _ in range(65):
            assert client.get("web").status == 200
    ids = [request.header("l5d-reqid") for request in origin.requests]
    assert [past(weft, id_).status for id_ in (ids[0], ids[1], ids[64])] == [404, 200, 200]


@pytest.mark.parametrize("id_, status", [("x", 400), ("", 400), ("1" * 33, 400), ("0123456789abcdef", 404)])
def test_ids_that_are_none(mesh, id_, status):
    assert past(mesh.weft(), id_).status == status


def test_an_id_is_asked_for_at_a_proxy(path):
    assert explain(path, "--id", "1")[0] == 2
