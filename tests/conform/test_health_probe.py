# SPDX-License-Identifier: Apache-2.0
"""grpc-health-probe, which containers and load balancers run: what it makes of the admin server, and of a weft that is ending."""

import signal
import threading

import pytest

from judges import Judged, judge, run
from mesh import PATIENCE, wait_until

HEALTHY, UNREACHABLE, FAILED, UNHEALTHY = 0, 2, 3, 4  # its exit codes


@pytest.fixture(name="judged")
def make_judged(tmp_path):
    with Judged(tmp_path) as judged:
        yield judged


def probe(address, *options):
    done = run(judge("grpc-health-probe"), "-addr", "{}:{}".format(*address), "-connect-timeout", "5s", "-rpc-timeout", "5s", *options)
    return done.returncode, done.stdout + done.stderr


def test_serving(judged):
    weft = judged.mesh.weft()
    weft.wait_ready()
    code, said = probe(weft.admin_address)
    assert (code, "status: SERVING" in said) == (HEALTHY, True), said
    code, said = probe(weft.admin_address, "-service", "some.Service")
    assert (code, "NotFound" in said) == (FAILED, True), said


def test_ending(judged):
    """Not serving while calls that run are waited for; then it is gone."""
    held, go_on = threading.Event(), threading.Event()

    def slow(call):
        held.set()
        assert go_on.wait(PATIENCE)
        call.answer()

    judged.mesh.service("web", judged.mesh.origin(slow))
    weft = judged.mesh.weft(judged.mesh.config(admin={"shutdownGraceMs": 20000}))
    weft.wait_ready()
    with judged.mesh.client(weft) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        assert held.wait(PATIENCE)
        assert probe(weft.admin_address)[0] == HEALTHY
        weft.signal(signal.SIGTERM)
        wait_until(lambda: probe(weft.admin_address)[0] == UNHEALTHY, "NOT_SERVING")
        go_on.set()
        assert client.response().status == 200
    wait_until(lambda: probe(weft.admin_address)[0] == UNREACHABLE, "its end")
