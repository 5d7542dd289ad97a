# SPDX-License-Identifier: Apache-2.0
"""weft stat, routes, edges and top against running proxies: the numbers are those that callers made; and completion in shells."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest
from mesh import PATIENCE, WEFT, sanitized, wait_until

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


@pytest.mark.alone
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
        wait_until(lambda: len(rows("edges", weft)) == 3, "the callers")
        server, *clients = rows("edges", weft, "--sort", "to", "--reverse")
    caller, client = sorted(clients, key=lambda row: row["from"])
    assert (caller["from"], caller["to"], caller["secured"], caller["connections"]) == ("plaintext", CLIENT, "no", None)
    assert caller["requests"] > 0 and caller["success_percent"] == 100
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


# ---- weft top ----

class Screen:
    """`weft top` on a terminal of its own; `text` is all that it ever wrote."""

    def __init__(self, *arguments, rows=24, columns=120):
        self.ours, self.theirs = os.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.theirs)
        self.process = subprocess.Popen([WEFT, "top", *arguments], stdin=self.theirs, stdout=self.theirs, stderr=subprocess.PIPE,
                                        start_new_session=True, env={**os.environ, "TERM": "xterm"})
        self.text = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        try:
            while part := os.read(self.ours, 65536):
                self.text += part.decode()
        except OSError:
            pass

    def resize(self, rows, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.ours, keys)

    def last(self):
        """The lines of the last whole screen, without colours."""
        screens = self.text.split("\033[H")
        whole = [screen for screen in screens if screen.endswith("\033[J")]
        return re.sub(r"\033\[[0-9;?]*[a-zA-Z]", "", whole[-1]).split("\r\n") if whole else []

    def until(self, condition, what):
        wait_until(lambda: (lines := self.last()) and condition(lines), f"{what}, not {self.last()}")

    def is_raw(self):
        return not termios.tcgetattr(self.theirs)[3] & (termios.ICANON | termios.ECHO)

    def wait(self):
        code = self.process.wait(PATIENCE)
        assert termios.tcgetattr(self.theirs) == self.before
        assert self.process.stderr.read() == b""
        self.process.stderr.close()
        os.close(self.theirs)
        self.reader.join(PATIENCE)
        os.close(self.ours)
        return code


def test_top_is_sorted_by_keys(mesh):
    weft = start(mesh)
    with Traffic(mesh, weft, "web", "web", "nobody"):
        screen = Screen("--admin", admin(weft), "--window", "200ms")
        screen.until(lambda lines: lines[1].split()[3:4] == ["RPS*"] and lines[2].startswith("svc/web"), "services by rate")
        assert screen.is_raw()
        assert "\033[?1049h" in screen.text and "\033[31m0.00%" in screen.text
        screen.press(b"r")
        screen.until(lambda lines: lines[2].startswith("svc/nobody"), "the other way round")
        screen.press(b"r<<<")   # back over SUCCESS and ROUTER to SERVICE
        screen.until(lambda lines: lines[1].startswith("SERVICE*") and lines[2].startswith("svc/nobody"), "by name")
        screen.press(b"\033[B")
        screen.until(lambda lines: lines[2].startswith("svc/web"), "scrolled")
        screen.press(b"2")
        screen.until(lambda lines: lines[1].startswith("SERVICE") and CLIENT in lines[2], "routes")
        screen.press(b"4")
        screen.until(lambda lines: lines[1].startswith("FROM") and len(lines) == 6, "edges")
        screen.press(b"q")
        assert screen.wait() == 0
    assert screen.text.endswith("\033[?25h\033[?1049l")


def test_top_follows_the_terminals_size(mesh):
    weft = start(mesh)
    with Traffic(mesh, weft, "web", "nobody"):
        screen = Screen("--admin", admin(weft), "--window", "200ms")
        screen.until(lambda lines: len(lines) == 5, "two rows")
        screen.resize(4, 20)
        screen.until(lambda lines: len(lines) == 4 and all(len(line) <= 20 for line in lines), "a small terminal")
        screen.press(b"q")
        assert screen.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGABRT])
def test_top_leaves_the_terminal_as_it_was(mesh, number):
    if number == signal.SIGABRT and sanitized():
        pytest.skip("sanitizers report an abort themselves")
    weft = start(mesh)
    screen = Screen("--admin", admin(weft), "--window", "200ms")
    screen.until(len, "a screen")
    assert screen.is_raw()
    screen.process.send_signal(number)
    assert screen.wait() == (-number if number == signal.SIGABRT else 0)
    assert screen.text.endswith("\033[?1049l")


def test_top_over_a_pipe(mesh):
    weft = start(mesh)
    with Traffic(mesh, weft, "web"):
        with subprocess.Popen([WEFT, "top", "--admin", admin(weft), "--window", "100ms"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE) as process:
            lines = [process.stdout.readline().decode() for _ in range(5)]
            process.stdout.close()
            assert process.wait(PATIENCE) == 0
    assert lines[0].startswith("SERVICE ") and lines[1].startswith("svc/web ") and lines[2] == "\n" and lines[3:5] != ["", ""]
    assert "\033" not in "".join(lines)


# ---- completion ----

def script(shell):
    code, out, err = run("completion", shell)
    assert (code, err) == (0, "")
    return out


@pytest.mark.parametrize("line, among, others", [
    ("weft s", ["stat"], ["top"]),
    ("weft stat --m", ["--min-success", "--max-p99"], ["--admin"]),
    ("weft stat -o ", ["table", "wide", "json"], ["--admin"]),
    ("weft stat --sort p", ["p50", "p95", "p99", "proxies"], ["rate"]),
    ("weft routes --g", ["--grpc"], []),
    ("weft stat --g", [], ["--grpc"]),
    ("weft proxy --", ["--threads", "--help"], ["--admin"]),
    ("weft ca r", ["rotate"], ["init"]),
    ("weft ca serve --p", ["--policy"], ["--id"]),
    ("weft completion ", ["bash", "zsh", "fish"], []),
])
def test_completion_in_bash(line, among, others):
    program = script("bash") + f"""
COMP_WORDS=({line.strip()} {"''" if line.endswith(" ") else ""})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_weft
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=True)
    found = done.stdout.split()
    assert done.stderr == ""
    assert set(among) <= set(found) and not set(others) & set(found)


def test_completion_in_zsh_and_fish():
    for shell, check in (("zsh", ["-n"]), ("fish", ["--no-execute"])):
        if not shutil.which(shell):
            pytest.skip(f"{shell} is missing")
        done = subprocess.run([shell, *check, "/dev/stdin"], input=script(shell), capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    asked = script("fish") + "\ncomplete -C 'weft stat --sor'\ncomplete -C 'weft stat -o '\ncomplete -C 'weft ca '\n"
    done = subprocess.run(["fish", "--no-config"], input=asked, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert {"--sort", "table", "wide", "json", "init", "agent"} <= set(done.stdout.split())


@pytest.mark.parametrize("arguments, told", [
    (["completion"], "weft completion: something is missing; `weft help completion` shows the usage\n"),
    (["completion", "csh"], "weft completion: it takes `bash` or `zsh` or `fish`, not `csh`\n"),
    (["top", "-o", "json"], "weft: unknown option `-o`; `weft help` lists what there is\n"),
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
