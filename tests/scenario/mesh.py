# SPDX-License-Identifier: Apache-2.0
"""A small mesh of real processes: weft, what it calls (origin.py), and callers (client.py), all on ports of the kernel's choice.

    mesh.service("web", Origin())                   # disco/web: one line for each origin
    weft = mesh.weft(dtab="/svc => /#/io.l5d.fs")   # `weft proxy`, with one router
    client = mesh.client(weft)
    assert client.get("web").status == 200

At the end of a test `Mesh.close` ends all of it and checks what must hold whatever the test did: see Weft.finish.
"""

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
import urllib.parse

from client import Client
from origin import Origin

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEFT = pathlib.Path(os.environ.get("WEFT") or ROOT / "build" / "weft")
PATIENCE = 20.0  # seconds until a condition that must become true counts as failed; no test waits this long when all is well
COMPLAINTS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|check failed|broken invariant", re.I)


def wait_until(condition, what="the condition", patience=PATIENCE):
    """Returns the first true value of condition(), asked again and again."""
    end = time.monotonic() + patience
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what}: not within {patience} s"
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def stop_process(pid):
    """Until each of its threads stands still, which may be some time after the signal; SIGCONT lets it go on."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: all(stat.read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] in "TZX"
                           for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")), "the process to stand still")


def sanitized():
    """Whether the binary under test has a sanitizer in it."""
    return b"__asan_init" in WEFT.read_bytes() or b"__tsan_init" in WEFT.read_bytes()


class AdminAnswer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


class Weft:
    """One `weft proxy`. `addresses`: router's label -> its servers' (ip, port), in the order of their announcement."""

    def __init__(self, folder, config, threads=1, env=None, arguments=(), binary=WEFT):
        self.folder = folder
        self.path = folder / "weft.yaml"
        self.write(config)
        self.stderr_path = folder / "stderr.txt"
        self.lines = []
        self.ended = False
        self.expected_exit = 0
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen([binary, "proxy", self.path, "--threads", str(threads), *arguments], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=stderr, env={**os.environ, **(env or {})})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        wait_until(lambda: self.admin_address or self.process.poll() is not None, "the addresses that weft prints")
        assert self.admin_address, f"weft did not start: {self.stderr}"

    # ---- what it says ----

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))

    @property
    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    @property
    def addresses(self):
        found = {}
        for line in list(self.lines):
            match = re.fullmatch(r"listening on (\S+):(\d+) \(rt/(.*)\)", line)
            if match:
                found.setdefault(match[3], []).append((match[1].strip("[]"), int(match[2])))
        return found

    def _told(self, what):
        for line in list(self.lines):
            match = re.fullmatch(what + r" on (\S+):(\d+)", line)
            if match:
                return match[1], int(match[2])
        return None

    @property
    def admin_address(self):
        return self._told("admin")

    @property
    def identifier_address(self):
        return wait_until(lambda: self._told("identifiers"), "the address of httpIdentifierPort")

    def address(self, label=None, which=0):
        addresses = self.addresses
        return addresses[label or next(iter(addresses))][which]

    # ---- the admin server ----

    def admin(self, path, method="GET", body=None, headers=None):
        connection = http.client.HTTPConnection(*self.admin_address, timeout=PATIENCE)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return AdminAnswer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def metrics(self):
        return self.admin("/admin/metrics.json").json()

    def metric(self, name):
        """The number whose key ends in `name`, 0 if there is none; several are added."""
        return sum(value for key, value in self.metrics().items() if key == name or key.endswith("/" + name))

    def delegate(self, path, dtab=None, namespace=None):
        query = {"path": path, "dtab": dtab, "namespace": namespace}
        return self.admin("/delegator.json?" + urllib.parse.urlencode({k: v for k, v in query.items() if v is not None}))

    # ---- life ----

    def write(self, config):
        """Replaces the file as editors do: a new one is renamed over it."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))
        fresh.rename(self.path)

    def reload(self, config):
        before = self.metric("configuration/reloads")
        self.write(config)
        wait_until(lambda: self.metric("configuration/reloads") > before, "the reload")

    def signal(self, number):
        """Of SIGSTOP the effect is waited for."""
        if number == signal.SIGSTOP:
            stop_process(self.process.pid)
        else:
            self.process.send_signal(number)

    def wait_ready(self):
        """Its sockets listen from its start on; until then requests only wait there."""
        wait_until(lambda: self.admin("/admin/ready").status == 200, "to be ready")

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def _unbalanced(self):
        """What does not add up in the metrics, now that no caller is left."""
        metrics, wrong = self.metrics(), []
        for key, requests in metrics.items():
            match = re.fullmatch(r"(rt/.*/(?:server|service|client)/.*)/requests", key)
            if not match:
                continue
            scope = match[1]
            done = metrics[scope + "/success"] + metrics[scope + "/failures"]
            if done != requests:
                wrong.append(f"{scope}: {requests} requests, {done} of them judged")
            for gauge in ("pending", "load") + (("connections",) if "/server/" in scope else ()):
                if metrics.get(f"{scope}/{gauge}", 0) != 0:
                    wrong.append(f"{scope}/{gauge} is {metrics[f'{scope}/{gauge}']}")
        return wrong

    def finish(self):
        """All callers are gone: the counters add up, SIGTERM ends the process with exit code 0, and nothing complained."""
        if not self.ended and self.process.poll() is None:
            wrong = []

            def balanced():
                wrong[:] = self._unbalanced()
                return not wrong

            try:
                wait_until(balanced, "metrics that add up")
            except AssertionError as error:
                raise AssertionError(f"metrics don't add up: {wrong}") from error
            self.signal(signal.SIGTERM)
        self.wait_end()

    def wait_end(self):
        """Ends when the process has: with the expected code, without complaints."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("weft did not end in time") from None
        finally:
            self.kill()
        assert code == self.expected_exit, f"exit code {code}: {self.stderr[-4000:]}"
        assert not COMPLAINTS.search(self.stderr), self.stderr[-8000:]

    def kill(self):
        self.ended = True
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(PATIENCE)
        self.process.stdout.close()


class Mesh:
    def __init__(self, folder):
        self.folder = folder
        self.disco = folder / "disco"
        self.disco.mkdir()
        self.wefts, self.origins, self.clients = [], [], []

    # ---- parts ----

    def origin(self, *arguments, **options):
        origin = Origin(*arguments, **options)
        self.origins.append(origin)
        return origin

    def service(self, name, *origins):
        """disco/NAME with a line for each origin, or text, or (ip, port); replaced at once, never half-written."""
        lines = []
        for origin in origins:
            if isinstance(origin, str):
                lines.append(origin)
            else:
                ip, port = origin.address if isinstance(origin, Origin) else origin
                lines.append(f"{ip} {port}")
        path = self.disco / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / "fresh"
        fresh.write_text("".join(line + "\n" for line in lines))
        fresh.rename(path)

    def config(self, *routers, admin=None, **top):
        """A configuration of these routers (one with defaults if none is given); `top`: more keys of the top level."""
        return {
            "admin": {"ip": "127.0.0.1", "port": 0, **(admin or {})},
            "usage": {"enabled": False},
            "namers": [{"kind": "io.l5d.fs", "rootDir": str(self.disco)}],
            "telemetry": [{"kind": "io.l5d.prometheus"}],
            "routers": list(routers) or [self.router()],
            **top,
        }

    @staticmethod
    def router(label="out", dtab="/svc => /#/io.l5d.fs", server=None, servers=None, **keys):
        return {"protocol": "http", "label": label, "dtab": dtab, "servers": servers or [{"port": 0, **(server or {})}], **keys}

    def weft(self, config=None, threads=1, env=None, arguments=(), binary=WEFT, **router):
        """Starts one; without a configuration, one with a single router of these keys."""
        folder = self.folder / f"weft-{len(self.wefts)}"
        folder.mkdir()
        weft = Weft(folder, config or self.config(self.router(**router)), threads, env, arguments, binary)
        self.wefts.append(weft)
        return weft

    def client(self, target, **options):
        """A connection to a Weft's first server, or to (ip, port)."""
        client = Client(target.address() if isinstance(target, Weft) else target, **options)
        self.clients.append(client)
        return client

    # ---- the end ----

    def close(self):
        problems = []
        for client in self.clients:
            client.close()
        for weft in reversed(self.wefts):   # the first ones are called by later ones
            try:
                weft.finish()
            except AssertionError as error:
                problems.append(str(error))
        self.stop()
        problems.extend(complaint for origin in self.origins for complaint in origin.complaints)
        assert not problems, "\n".join(problems)

    def stop(self):
        """Ends all parts without asking how they are."""
        for weft in self.wefts:
            weft.kill()
        for client in self.clients:
            client.close()
        for origin in self.origins:
            origin.close()
