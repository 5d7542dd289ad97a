# SPDX-License-Identifier: Apache-2.0
"""weft tap and /tap.json: live requests, chosen by the proxy."""

import http.client
import json
import re
import subprocess
import threading
import time

import pytest
from mesh import PATIENCE, WEFT, wait_until
from test_see import Traffic, admin, run, start


class Tap:
    """A running `weft tap -o json`."""

    def __init__(self, weft, *arguments):
        self.process = subprocess.Popen([WEFT, "tap", "--admin", admin(weft), "-o", "json", *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def wait(self):
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        with self.process.stderr as stderr:
            return code, stderr.read().decode()

    def stop(self):
        self.process.terminate()
        assert self.wait() == (0, "")
        return self.lines


def test_a_request_as_it_was(mesh):
    weft = start(mesh)
    client = mesh.client(weft)
    tap = Tap(weft, "--count", "1", "--method", "POST")
    with Traffic(mesh, weft, "web"):
        wait_until(lambda: client.request("POST", "web", target="/a/b?c=d", body=b"hello") and tap.process.poll() is not None, "the tap's end")
    assert tap.wait() == (0, "")
    [line] = tap.lines
    ip, port = weft.address()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert (line["router"], line["method"], line["authority"], line["path"]) == ("out", "POST", "web", "/a/b?c=d")
    assert (line["service"], line["client"]) == ("/svc/web", "/#/io.l5d.fs/web")
    assert line["source"].startswith(f"{ip}:") and line["source"] != f"{ip}:{port}"
    assert line["destination"] in ["{}:{}".format(*origin.address) for origin in mesh.origins]
    assert (line["status"], line["attempts"], line["retries"], line["request_bytes"]) == (200, 1, 0, 5)
    assert 0 < line["upstream_us"] <= line["latency_us"] < PATIENCE * 1e6


@pytest.mark.parametrize("filters, wanted", [
    (["web"], ["/a", "/ab", "/alice", "/bob", "/slow"]),
    (["svc/n*"], ["/nobody"]),
    (["--status", "5xx"], ["/nobody"]),
    (["--status", "502"], ["/nobody"]),
    (["--status", "200-299", "--path", "/a*"], ["/a", "/ab", "/alice"]),
    (["--path", "/a"], ["/a"]),
    (["--method", "PUT"], ["/ab"]),
    (["--header", "x-user: al?ce"], ["/alice"]),
    (["--header", "X-User"], ["/alice", "/bob"]),
    (["--min-latency", "150ms"], ["/slow"]),
    (["--router", "out", "--path", "/s*"], ["/slow"]),
    (["--router", "in"], []),
])
def test_filters(mesh, filters, wanted):
    def handler(call):
        if call.message.target.startswith(b"/slow"):
            time.sleep(0.2)
        call.answer()

    mesh.service("web", mesh.origin(handler))
    weft = mesh.weft()
    client = mesh.client(weft)
    requests = [("GET", "web", "/a", ()), ("PUT", "web", "/ab", ()), ("GET", "nobody", "/nobody", ()),
                ("GET", "web", "/alice", [("x-user", "alice")]), ("GET", "web", "/bob", [("x-user", "bob")]), ("GET", "web", "/slow", ())]
    everything, some = Tap(weft), Tap(weft, *filters)

    def ask(query=""):
        for method, host, target, headers in requests:
            client.request(method, host, target=target + query, headers=headers)
        return everything.lines and (some.lines or not wanted)

    def last(tap):
        return [line["path"].partition("?")[0] for line in tap.lines if line["path"].endswith("?last")]

    wait_until(ask, "both taps")
    ask("?last")
    wait_until(lambda: last(everything) == [target for _, _, target, _ in requests], "all requests")
    wait_until(lambda: last(some) == wanted, f"{wanted}, not {some.lines}")
    everything.stop()
    assert {line["path"].partition("?")[0] for line in some.stop()} == set(wanted)


def test_a_part_of_all(mesh):
    weft = start(mesh)
    with Traffic(mesh, weft, "web"):
        everything, part = Tap(weft), Tap(weft, "--sample", "10%")
        wait_until(lambda: len(everything.lines) > 400, "requests")
        count = len(everything.lines)
        part.stop()
        everything.stop()
    assert 0.02 * count < len(part.lines) < 0.3 * count


def test_many_proxies_and_one_that_leaves(mesh):
    one, two = start(mesh), mesh.weft()
    process = subprocess.Popen([WEFT, "tap", "--admin", admin(one, two), "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    clients = [mesh.client(one), mesh.client(two)]
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(json.loads(line) for line in process.stdout), daemon=True)
    reader.start()

    def both():
        for number, client in enumerate(clients):
            client.get("web", f"/{number}")
        return process.poll() is not None or seen.issuperset({"/0", "/1"})

    seen = set()
    wait_until(lambda: (seen.update(line["path"] for line in list(lines)), both())[1], "requests of both")
    for client in clients:
        client.close()
    two.finish()
    clients[0] = mesh.client(one)
    count = len(lines)
    wait_until(lambda: clients[0].get("web", "/after") and len(lines) > count and lines[-1]["path"] == "/after", "the other goes on")
    process.terminate()
    assert process.wait(PATIENCE) == 2
    reader.join(PATIENCE)
    told = process.stderr.read().decode()
    assert told.startswith(f"weft: {admin(two)}: ") and told.count("\n") == 1
    process.stdout.close()
    process.stderr.close()


@pytest.mark.alone
def test_who_does_not_read_loses_records_and_slows_nobody(mesh):
    weft = start(mesh)
    slow = http.client.HTTPConnection(*weft.admin_address, timeout=PATIENCE)
    slow.connect()
    slow.sock.setsockopt(1, 8, 65536)  # SO_RCVBUF: less, and reading it all takes TCP minutes
    slow.request("GET", "/tap.json")
    response = slow.getresponse()
    assert (response.status, response.headers["Content-Type"]) == (200, "application/x-ndjson")
    target = "/" + "x" * 250
    bounds = time.monotonic() + 3 * PATIENCE
    client = mesh.client(weft)
    asked, dropped, lines = 0, 0, 0
    burst = ("GET {} HTTP/1.1\r\nHost: web\r\n\r\n".format(target) * 50).encode()
    while asked < 15000 and time.monotonic() < bounds:
        client.send(burst)
        for _ in range(50):
            assert client.response().status == 200
        asked += 50
    wait_until(lambda: weft.metric("pending") == 0, "the requests to end")
    while not dropped:
        line = json.loads(response.readline())
        dropped += line.get("dropped", 0)
        lines += "dropped" not in line
    assert 0 < dropped < asked
    assert lines < asked
    slow.close()


def test_as_many_as_there_may_be(mesh):
    weft = start(mesh)
    open_ones = []
    for _ in range(4):
        connection = http.client.HTTPConnection(*weft.admin_address, timeout=PATIENCE)
        connection.request("GET", "/tap.json")
        assert connection.getresponse().status == 200
        open_ones.append(connection)
    assert weft.admin("/tap.json").status == 503
    code, _, err = run("tap", "--admin", admin(weft))
    assert (code, err) == (2, f"weft: {admin(weft)}: status 503: there are as many taps as there may be\n")
    for connection in open_ones:
        connection.close()

    def again():
        connection = http.client.HTTPConnection(*weft.admin_address, timeout=PATIENCE)
        connection.request("GET", "/tap.json")
        status = connection.getresponse().status
        connection.close()
        return status == 200

    wait_until(again, "the places of those that have left")


@pytest.mark.parametrize("question", ["sample=2", "sample=", "sample=x", "status_from=1", "min_latency_ms=-1", "service=" + "x" * 300])
def test_questions_that_make_no_sense(mesh, question):
    assert start(mesh).admin("/tap.json?" + question).status == 400


def test_lines_for_people(mesh):
    weft = start(mesh)
    with Traffic(mesh, weft, "web", "nobody"):
        code, out, err = run("tap", "--admin", admin(weft), "--count", "4")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 4
    for line in lines:
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} out 127\.0\.0\.1:\d+ GET (web/ -> /svc/web 127\.0\.0\.1:\d+ 200|nobody/ -> /svc/nobody - 502)"
                            r" \d+\.\d{3}ms", line), line


def test_it_ends_after_a_time(mesh):
    weft = start(mesh)
    began = time.monotonic()
    assert run("tap", "--admin", admin(weft), "--for", "300ms") == (0, "", "")
    assert 0.3 <= time.monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize("arguments, told", [
    (["--status", "6"], "weft tap: --status takes 404, 5xx or 500-599, not `6`\n"),
    (["--status", "500-400"], "weft tap: --status takes 404, 5xx or 500-599, not `500-400`\n"),
    (["--sample", "200%"], "weft tap: --sample takes a percentage such as 99.9, not `200%`\n"),
    (["--count", "0"], "weft tap: --count takes a number from 1, not `0`\n"),
    (["--paht", "/"], "weft: unknown option `--paht`; did you mean `--path`?\n"),
])
def test_wrong_usage(arguments, told):
    assert run("tap", *arguments) == (2, "", told)
