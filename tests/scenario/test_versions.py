# SPDX-License-Identifier: Apache-2.0
"""Any version of HTTP on one side, any on the other: what a listener is told with its first bytes, by `Upgrade: h2c` or by TLS (ALPN)."""

import subprocess

import pytest

from mesh import PATIENCE

ASKED = {"HTTP/1.1": ("--http1.1", "1.1"), "prior knowledge": ("--http2-prior-knowledge", "2"), "Upgrade: h2c": ("--http2", "2")}


def curl(weft, *arguments):
    """The status, the version spoken and the body."""
    ip, port = weft.address()
    done = subprocess.run(["curl", "-sS", "-H", "Host: web", "-w", "\n%{http_code} %{http_version}", *arguments, f"http://{ip}:{port}/"],
                          stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
    body, _, said = done.stdout.decode().rpartition("\n")
    return (*said.split(), body)


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("protocol", ["http", "h2"])
@pytest.mark.parametrize("client", ["http", "auto"])
def test_listeners_take_every_version(mesh, protocol, client, asked):
    mesh.service("web", mesh.origin())
    weft = mesh.weft(mesh.config(mesh.router(protocol=protocol, client={"protocol": client})))
    option, spoken = ASKED[asked]
    status, version, _ = curl(weft, option)
    assert (status, version) == ("200", spoken)
    assert weft.metric("rt/out/service/svc/web/success") == 1


@pytest.mark.parametrize("asked", ASKED)
def test_two_proxies_with_http2_between(mesh, asked):
    mesh.service("web", mesh.origin())
    inner = mesh.weft(mesh.config(mesh.router(label="in", protocol="h2", client={"protocol": "http"})))
    mesh.service("far", inner.address())
    outer = mesh.weft(mesh.config(mesh.router(dtab="/svc/web => /#/io.l5d.fs/far", client={"protocol": "h2"})))
    option, spoken = ASKED[asked]
    for _ in range(3):
        status, version, _ = curl(outer, option, "-d", "some bytes")
        assert (status, version) == ("200", spoken)
    assert inner.metric("rt/in/service/svc/web/success") == 3
    assert outer.metric("rt/out/client/#/io.l5d.fs/far/connects") == 1
