# SPDX-License-Identifier: Apache-2.0
"""weft stat, routes and edges against running proxies: the numbers are those that callers made."""

import json
import os
import socket
import subprocess
import threading
import time

import pytest
from mesh import PATIENCE, WEFT

CLIENT = "#/io.l5d.fs/web"


def admin(*wefts):
    return ",".join(f"{ip}:{port}" for ip, port in (weft.admin_address for weft in wefts))


def run(*arguments, env=None):
    done = subprocess.run([WEFT, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False,
                          env={**os.environ, "TERM": "xterm", **(env or {})})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def rows(command, weft, *arguments):
    code, out, err = run(command, "--admin", admin(weft), "-o", "json", *arguments)
    assert (code, err) == (0, "")
    [(name, found)] = [(key, value) for key, value in json.loads(out).items() if key not in ("window_s", "unreachable")]
    assert name in ("services", "routes", "methods", "edges")
    return found


class Traffic:
    """Requests for hosts in turn, one after the other, until the end of the block."""

    def __init__(self, mesh, weft, *hosts):
        self.client, self.hosts, self.count, self.stopped = mesh.client(weft), hosts, 0, False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.stopped:
            self.client.get(self.hosts[self.count % len(self.hosts)])
            self.count += 1
            time.sleep(0.002)

    def __enter__(self):
        self.began = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join(PATIENCE)

    @property
    def rate(self):
        return self.count / (time.monotonic() - self.began)


def start(mesh):
    mesh.service("web", mesh.origin(), mesh.origin())
    return mesh.weft()


def test_numbers_are_those_of_the_callers(mesh):
    weft = start(mesh)
    with Traffic(mesh, weft, "web", "web", "web", "nobody") as traffic:
        web, nobody = sorted(rows("stat", weft, "--window", "2s", "--sort", "success"), key=lambda row: -row["rate_per_s"])
        rate = traffic.rate
    assert (web["service"], nobody["service"]) == ("svc/web", "svc/nobody")
    assert web["success_percent"] == 100 and web["failures"] == 0
    assert nobody["success_percent"] == 0 and nobody["failures"] == nobody["requests"] > 0
    assert web["rate_per_s"] == pytest.approx(rate * 3 / 4, rel=0.5)
    assert web["requests"] == pytest.approx(web["rate_per_s"] * 2, rel=0.2)
    assert abs(web["requests"] - 3 * nobody["requests"]) <= 3
    assert 0 < web["p50_ms"] <= web["p95_ms"] <= web["p99_ms"] < 1000
    assert (web["endpoints_up"], web["endpoints"], web["connections"]) == (2, 2, pytest.approx(2, abs=1))
    assert nobody["endpoints"] is None
    assert web["proxies"] == 1


def test_latency_is_of_the_window_alone(mesh):
    slow = threading.Event()

    def handler(call):
        if slow.is_set():
            time.sleep(0.05)
        call.answer()

    mesh.service("web", mesh.origin(handler))
    weft = mesh.weft()
    with Traffic(mesh, weft, "web"):
        [before] = rows("stat", weft, "web")
        slow.set()
        [after] = rows("stat", weft, "web")
    assert before["p99_ms"] < 50 < after["p95_ms"] < 500
    assert after["requests"] < before["requests"]


def test_routes(mesh):
    weft = start(mesh)
    with Traffic(mesh, weft, "web"):
        [route] = rows("routes", weft)
    assert (route["service"], route["client"], route["router"]) == ("svc/web", CLIENT, "out")
    assert route["success_percent"] == 100 and route["rate_per_s"] > 0 and route["endpoints_up"] == 2


def test_edges(mesh):
    weft = start(mesh)
    with Traffic(mesh, weft, "web"):
        server, client = rows("edges", weft, "--sort", "to", "--reverse")
    assert (client["from"], client["to"], client["secured"], client["peers"]) == ("rt/out", CLIENT, "no", "")
    assert (server["from"], server["to"]) == ("callers", "server/{}/{}".format(*weft.address()))
    assert server["connections"] == 1 and server["rate_per_s"] == pytest.approx(client["rate_per_s"], rel=0.1)
    assert server["errors_per_s"] == 0


def test_many_proxies_and_those_that_are_gone(mesh):
    one, two = start(mesh), mesh.weft()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        gone = "127.0.0.1:%d" % silent.getsockname()[1]
    with Traffic(mesh, one, "web"), Traffic(mesh, two, "web"):
        code, out, err = run("stat", "--admin", admin(one), "--admin", f"{gone},{admin(two)}", "-o", "json")
        [row] = json.loads(out)["services"]
        assert (code, err, row["proxies"]) == (2, "", 2)
        assert json.loads(out)["unreachable"] == [{"admin": gone, "error": "connection refused"}]
        code, out, err = run("stat", "--admin", f"{admin(one, two)},{gone}", "--per-proxy")
    assert (code, err) == (2, f"weft: {gone}: connection refused\n")
    head, *lines = (line.split()[:2] for line in out.splitlines())
    assert head == ["PROXY", "SERVICE"]
    assert sorted(lines) == sorted([[admin(one), "svc/web"], [admin(two), "svc/web"]])
    assert run("stat", "--admin", gone) == (2, "", f"weft: {gone}: connection refused\n")


def test_host_names(mesh):
    weft = start(mesh)
    code, _, err = run("stat", "--admin", f"localhost:{weft.admin_address[1]}", "--window", "100ms")
    assert (code, err) == (0, "")


def test_servers_that_are_no_proxy(mesh):
    address = "{}:{}".format(*mesh.origin(body=b"<html>").address)
    assert run("stat", "--admin", address) == (2, "", f"weft: {address}: its page of metrics is not weft's\n")
    address = "{}:{}".format(*mesh.origin(status=404).address)
    assert run("stat", "--admin", address) == (2, "", f"weft: {address}: status 404 for its metrics\n")


@pytest.mark.parametrize("hosts, gates, code", [
    (["web"], ["--min-success", "99.9", "--max-p99", "5s"], 0),
    (["web", "nobody"], ["--min-success", "99.9"], 1),
    (["web", "nobody"], ["--min-success", "99.9", "web"], 0),
    (["web"], ["--max-p99", "1us"], 1),
    (["web"], ["--min-success", "0", "nobody"], 1),   # nothing to judge
])
def test_gates(mesh, hosts, gates, code):
    weft = start(mesh)
    with Traffic(mesh, weft, *hosts):
        found, out, err = run("stat", "--admin", admin(weft), *gates)
    assert found == code
    assert out.startswith("SERVICE ")
    assert bool(err) == bool(code)
    for line in err.splitlines():
        assert line.startswith("weft: ")


def test_a_gate_needs_everybody(mesh):
    weft = start(mesh)
    with Traffic(mesh, weft, "web"):
        assert run("stat", "--admin", f"{admin(weft)},127.0.0.1:1", "--min-success", "1")[0] == 2


def test_watching_over_a_pipe_until_nobody_reads(mesh):
    weft = start(mesh)
    with Traffic(mesh, weft, "web"):
        with subprocess.Popen([WEFT, "stat", "--admin", admin(weft), "--watch", "--window", "100ms", "-o", "json"],
                              stdout=subprocess.PIPE) as process:
            windows = [json.loads(process.stdout.readline()) for _ in range(3)]
            process.stdout.close()
            assert process.wait(PATIENCE) == 0
    assert all(window["services"][0]["requests"] > 0 for window in windows)


def test_colour_only_on_a_terminal(mesh):
    weft = start(mesh)
    arguments = [WEFT, "stat", "--admin", admin(weft), "--window", "100ms"]

    def on_terminal(env):
        ours, theirs = os.openpty()
        with Traffic(mesh, weft, "web"):
            subprocess.run(arguments, stdout=theirs, timeout=PATIENCE, check=True, env={**os.environ, "TERM": "xterm", **env})
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 65536):
                text += part
        except OSError:   # how the end of a terminal is told
            pass
        os.close(ours)
        return text

    assert b"\033[32m100.00%\033[0m" in on_terminal({})
    assert b"\033" not in on_terminal({"NO_COLOR": "1"})
    assert b"\033" not in subprocess.run(arguments, capture_output=True, timeout=PATIENCE, check=True).stdout


@pytest.mark.parametrize("arguments, told", [
    (["stat", "--admin", "a:99999"], "weft stat: --admin takes addresses such as 127.0.0.1:9990, [::1]:9990 or node-1, with commas between,"
                                     " not `a:99999`\n"),
    (["stat", "--window", "1ms"], "weft stat: --window takes 100ms or more\n"),
    (["stat", "--window", "soon"], "weft stat: --window takes a time such as 50ms, 1s or 2m, not `soon`\n"),
    (["stat", "--min-success", "101"], "weft stat: --min-success takes a percentage such as 99.9, not `101`\n"),
    (["stat", "--sort", "p98"], "weft: unknown column `p98`; did you mean `p95`?\n"),
    (["stat", "-o", "yaml"], "weft stat: -o takes `table` or `wide` or `json`, not `yaml`\n"),
    (["stat", "--grpc"], "weft: unknown option `--grpc`; `weft help` lists what there is\n"),
    (["routes", "--max-p99"], "weft routes: --max-p99 needs a value\n"),
])
def test_wrong_usage(arguments, told):
    assert run(*arguments) == (2, "", told)
