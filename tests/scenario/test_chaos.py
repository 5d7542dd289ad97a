# SPDX-License-Identifier: Apache-2.0
"""Callers, origins, the directory and the configuration misbehave all at once. Nothing may stick, and the numbers add up.

What is drawn comes from a seed; how the processes interleave does not, so a failure here is one to look for in the simulation.
"""

import random
import threading

import pytest

from client import BadMessage, CutShort, request_bytes
from mesh import wait_until

CALLERS, ACTIONS = 8, 40


def answer_somehow(seed):
    rng, lock = random.Random(seed), threading.Lock()

    def handler(call):
        with lock:
            how, size = rng.random(), rng.choice([0, 1, 100, 20000, 300000])
        body = b"b" * size
        if how < 0.5:
            call.answer(body=body)
        elif how < 0.6:
            call.answer(rng.choice([500, 503]), body)
        elif how < 0.7:
            call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(rng.randrange(20)):
                call.send(b"%x\r\n%s\r\n" % (100, b"c" * 100))
            call.send(b"0\r\nX-T: 1\r\n\r\n")
        elif how < 0.75:
            call.close()
        elif how < 0.8:
            call.reset()
        elif how < 0.85:
            call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"d" * rng.randrange(5000))
            call.reset()
        elif how < 0.9:
            call.answer(body=body)
            call.close()
        elif how < 0.95:
            call.send(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + body)
            call.close()
        else:
            call.send(rng.choice([b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 999 \r\n\0"]))
            call.close()

    return handler


def act(client, rng):
    how, host = rng.random(), rng.choice(["web", "web", "good", "nobody", "dead"])
    body = b"a" * rng.choice([0, 1, 1000, 6000, 200000])
    if how < 0.35:
        client.get(host, headers={"l5d-dtab": "/x => /y"} if rng.random() < 0.2 else ())
    elif how < 0.45:
        client.request("POST", host, body=body)
    elif how < 0.55:
        client.request("PUT", host, chunks=[body or b"x", b"end"], trailers=[("X-T", "1")])
    elif how < 0.65:
        count = rng.randrange(2, 20)
        client.send(request_bytes(host=host) * count)
        for _ in range(rng.choice([count, rng.randrange(count)])):
            client.response()
    elif how < 0.72:
        client.send(request_bytes("POST", host=host, headers={"Content-Length": "10000"}) + b"a" * rng.randrange(9999))
    elif how < 0.78:
        client.send(request_bytes(host=host))
        client.half_close()
        client.rest()
    elif how < 0.84:
        client.send(request_bytes(host=host)[:rng.randrange(1, 30)])
    elif how < 0.9:
        client.send(request_bytes(host=host))
    elif how < 0.95:
        client.send(request_bytes("POST", host=host, headers={"Expect": "100-continue", "Content-Length": "5"}) + b"hello")
        client.response("POST")
    else:
        client.send(rng.choice([b"\0", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", b"\r\n" * 50, b"GET / HTTP/9.9\r\n\r\n"]))
    return 0.65 <= how


class Callers:
    def __init__(self, mesh, weft, seed):
        self.mesh, self.weft, self.failures = mesh, weft, []
        self.threads = [threading.Thread(target=self._run, args=(random.Random(f"{seed} {i}"),)) for i in range(CALLERS)]
        self.good, self.stopping = 0, threading.Event()
        self.threads.append(threading.Thread(target=self._run_good))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads[:-1]:
            thread.join()
        self.stopping.set()
        self.threads[-1].join()

    def _run(self, rng):
        client = self.mesh.client(self.weft)
        for _ in range(ACTIONS):
            try:
                done = act(client, rng)
            except (CutShort, OSError):
                done = True
            except (BadMessage, AssertionError) as error:
                self.failures.append(error)
                return
            if done:
                client.reset() if rng.random() < 0.5 else client.close()
                client = self.mesh.client(self.weft)

    def _run_good(self):
        """One who does nothing wrong, and whose service does nothing wrong, notices nothing of it all."""
        try:
            with self.mesh.client(self.weft) as client:
                while not self.stopping.is_set():
                    answer = client.request("POST", "good", body=b"x" * 100)
                    assert (answer.status, answer.text) == (200, "good"), answer
                    self.good += 1
        except (CutShort, BadMessage, OSError, AssertionError) as error:
            self.failures.append(error)


@pytest.mark.slow
@pytest.mark.parametrize("threads, seed", [(1, 1), (2, 2), (4, 3)])
def test_everything_at_once(mesh, threads, seed):
    rng = random.Random(seed)
    origins = [mesh.origin(answer_somehow(f"{seed} {i}")) for i in range(4)]
    mesh.service("web", *origins)
    mesh.service("good", mesh.origin(body=b"good"))
    mesh.service("dead", ("127.0.0.1", 1))

    def config():
        return mesh.config(mesh.router(
            dtab=rng.choice(["/svc => /#/io.l5d.fs", "/srv => /#/io.l5d.fs; /svc => /srv", "/svc => /#/io.l5d.fs; /svc/web => /#/io.l5d.fs/web"]),
            service={"responseClassifier": {"kind": rng.choice(["io.l5d.http.retryableRead5XX", "io.l5d.http.retryableAll5XX"])}},
            client={"loadBalancer": {"kind": rng.choice(["p2c", "ewma", "roundRobin"])}, "requestAttemptTimeoutMs": 5000,
                    "hostConnectionPool": rng.choice([{}, {"maxSize": 8}, {"idleTimeMs": 50}]),
                    "failureAccrual": {"kind": "io.l5d.consecutiveFailures", "failures": 5, "backoff": {"kind": "constant", "ms": 50}}},
            server={"serverSession": {"idleTimeMs": 30000}}))

    weft = mesh.weft(config(), threads=threads)
    with Callers(mesh, weft, seed) as callers:
        for step in range(12):
            before = weft.metric("out/server/127.0.0.1/%d/requests" % weft.address()[1])
            wait_until(lambda count=before: not any(thread.is_alive() for thread in callers.threads[:-1])
                       or weft.metric("out/server/127.0.0.1/%d/requests" % weft.address()[1]) > count + 20, "traffic")
            if step % 3 == 0:
                weft.write(config())
            elif step % 3 == 1:
                mesh.service("web", *rng.sample(origins, rng.randrange(1, 5)))
            else:
                weft.write("routers: [not good")
    assert not callers.failures
    assert callers.good > 0
    assert weft.metric("out/service/svc/good/success") > 0
