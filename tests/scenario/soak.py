# SPDX-License-Identifier: Apache-2.0
"""soak.py [--minutes N]: two proxies with mutual TLS between them, under load and under blows, for a long time.

    wrk, h2load, ab and callers that misbehave -> out -> in -> origins in C, and one that misbehaves

Meanwhile endpoints come and go, certificates are renewed, both configurations are loaded again. What must hold: who does
nothing wrong gets 2xx each time, resident memory settles, the counters add up at the end, and no sanitizer complains
(WEFT names the binary, ./dev soak gives the one with AddressSanitizer). A line a round; exit code 1 if anything was wrong.
"""

import argparse
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from client import BadMessage, CutShort  # noqa: E402
from mesh import ROOT, WEFT, Mesh  # noqa: E402
from test_chaos import act, answer_somehow  # noqa: E402
from test_mtls import BACK, FRONT, Workloads  # noqa: E402

BURST = 4                  # seconds that a load generator runs
ONE_BY_ONE = 400           # connections with a request each
SETTLED_AFTER = 20         # rounds; before, caches and the sanitizer's own stores still fill
MOST_GROWN = 1.5           # times by then
RENEWED_EVERY = 4          # rounds
MISBEHAVED = 60            # a round


class CleanOrigin:
    """bench/origin.c or bench/origin_h2.c: they answer anything with 200 and 1 KiB."""

    def __init__(self, folder, name, *more):
        program = folder / name
        if not program.exists():
            subprocess.run(["cc", "-O2", "-o", program, ROOT / "bench" / f"{name}.c"], check=True)
        self.address = ("127.0.0.1", free_port())
        self.process = subprocess.Popen([program, str(self.address[1]), "1024", *more], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def close(self):
        self.process.kill()
        self.process.wait()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def output_of(*command):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


class Soak:
    def __init__(self, folder, seed):
        self.folder, self.rng = folder, random.Random(seed)
        self.mesh = Mesh(folder)
        self.workloads = Workloads(folder)
        self.workloads.issue("front", FRONT)
        self.workloads.issue("back", BACK)
        self.clean = [CleanOrigin(folder, "origin") for _ in range(3)]
        self.clean_h2 = [CleanOrigin(folder, "origin_h2", "plain") for _ in range(2)]
        self.wild = self.mesh.origin(answer_somehow(seed))
        self.wrong, self.answered = [], 0
        self.endpoints()
        self.mesh.service("wild", self.wild)
        self.mesh.service("dead", ("127.0.0.1", 1))
        self.inner = self.mesh.weft(self.inner_config(), threads=2)
        for label, name in (("in", "peer"), ("in-h2", "peer-h2")):
            self.mesh.service(name, self.inner.address(label))
        self.outer = self.mesh.weft(self.outer_config(), threads=2)

    def inner_config(self):
        server = {"mutualTls": "strict"}
        return self.mesh.config(
            self.mesh.router("in", dtab="/svc => /#/io.l5d.fs", server=server),
            self.mesh.router("in-h2", dtab="/svc => /#/io.l5d.fs", server=server, protocol="h2"),
            identity={"directory": str(self.folder / "back")})

    def outer_config(self):
        client = {"mutualTls": "strict"}
        retries = {"responseClassifier": {"kind": "io.l5d.http.retryableRead5XX"}}
        return self.mesh.config(
            self.mesh.router("out", dtab="/svc => /#/io.l5d.fs/peer; /svc/nobody => /#/io.l5d.fs/nobody", client=client, service=retries),
            self.mesh.router("out-h2", dtab="/svc => /#/io.l5d.fs/peer-h2", client=client, protocol="h2"),
            self.mesh.router("narrow", dtab="/svc => /#/io.l5d.fs/web", client={"hostConnectionPool": {"maxSize": 3, "idleTimeMs": 2000}}),
            identity={"directory": str(self.folder / "front")})

    def endpoints(self):
        """One of the clean ones is missing, each time another."""
        self.mesh.service("web", *self.rng.sample([origin.address for origin in self.clean], 2))
        self.mesh.service("h2", *self.rng.sample([origin.address for origin in self.clean_h2], self.rng.choice([1, 2])))

    # ---- what is sent ----

    def url(self, label):
        ip, port = self.outer.address(label)
        return f"http://{ip}:{port}/"

    def judge(self, name, requests, failed, told):
        self.answered += requests
        if failed or not requests:
            self.wrong.append(f"{name}: {failed} of {requests} failed: {told[-600:]}")

    def kept(self, label, connections):
        told = output_of("wrk", "-t1", f"-c{connections}", f"-d{BURST}s", "-H", "Host: web", self.url(label))
        done = re.search(r"(\d+) requests in", told)
        self.judge(f"wrk {label}", int(done[1]) if done else 0, int("Non-2xx" in told or "Socket errors" in told), told)

    def streams(self):
        told = output_of("h2load", "-c4", "-m10", f"-D{BURST}", "-H", ":authority: h2", self.url("out-h2"))
        done = re.search(r"requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored", told)
        codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", told)
        failed = sum(map(int, (*done.groups()[1:], *codes.groups()[1:]))) if done and codes else 1
        self.judge("h2load", int(done[1]) if done else 0, failed, told)

    def one_by_one(self, host, good):
        told = output_of("ab", "-q", "-n", ONE_BY_ONE, "-c", "8", "-H", f"Host: {host}", self.url("out"))
        done, failed, other = (re.search(what + r":?\s+(\d+)", told) for what in ("Complete requests", "Failed requests", "Non-2xx responses"))
        self.judge(f"ab {host}", int(done[1]) if done else 0, good and (int(failed[1]) if failed else 1) + (int(other[1]) if other else 0), told)

    def misbehave(self):
        client = self.mesh.client(self.outer)
        for _ in range(MISBEHAVED):
            try:
                over = act(client, self.rng)
            except (CutShort, OSError):
                over = True
            except (BadMessage, AssertionError) as error:
                self.wrong.append(f"misbehaving callers: {error!r}")
                over = True
            if over:
                client.close()
                self.mesh.clients.remove(client)
                client = self.mesh.client(self.outer)
        client.close()
        self.mesh.clients.remove(client)

    # ---- rounds ----

    def round(self, number):
        loads = [lambda: self.kept("out", 16), lambda: self.kept("narrow", 16), self.streams, lambda: self.one_by_one("web", True),
                 lambda: self.one_by_one("dead", False), lambda: self.one_by_one("nobody", False), self.misbehave]
        self.rng.shuffle(loads)
        for load in loads:
            self.endpoints()
            load()
        if number % RENEWED_EVERY == 0:
            self.workloads.issue("front", FRONT)
            self.workloads.issue("back", BACK)
        for weft in (self.inner, self.outer):
            if weft.process.poll() is None:
                weft.signal(signal.SIGHUP)

    def resident(self):
        return [weft.resident_bytes() >> 20 for weft in (self.outer, self.inner)]

    def run(self, minutes):
        end, number, settled = time.monotonic() + 60 * minutes, 0, None
        while time.monotonic() < end and not self.wrong and all(weft.process.poll() is None for weft in (self.outer, self.inner)):
            number += 1
            self.round(number)
            resident = self.resident()
            if number == SETTLED_AFTER:
                settled = resident
            print(f"round {number}: {self.answered} answered, {resident[0]} and {resident[1]} MiB resident", flush=True)
        if settled and any(after > MOST_GROWN * before for before, after in zip(settled, self.resident())):
            self.wrong.append(f"resident memory grew from {settled} to {self.resident()} MiB")

    def close(self):
        try:
            self.mesh.close()
        except AssertionError as error:
            self.wrong.append(str(error))
        finally:
            self.mesh.stop()
            for origin in (*self.clean, *self.clean_h2):
                origin.close()


def main():
    options = argparse.ArgumentParser(description="a long run under load and under blows")
    options.add_argument("--minutes", type=float, default=60, help="how long (60)")
    options.add_argument("--seed", default="1", help="of what is drawn (1)")
    options = options.parse_args()
    print(f"{WEFT} for {options.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(pathlib.Path(folder), options.seed)
        try:
            soak.run(options.minutes)
        finally:
            soak.close()
    print("\n".join(soak.wrong) or f"nothing was wrong in {soak.answered} answers")
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
