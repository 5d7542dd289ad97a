# SPDX-License-Identifier: Apache-2.0
"""A cluster of 5,000 Services with 20,000 endpoints, of which a proxy calls ten: what that costs it in time and memory."""

import json
import os
import time

import pytest

from mesh import wait_until

SERVICES, CALLED = 5000, 10
MOST_KIB, MOST_SECONDS = 6 * 1024, 2.0


def slice_of(number, ready=4):
    name = f"scale-{number:05d}"
    ips = [f"10.99.0.{pod + 1}" if number < CALLED else f"10.{100 + number // 64}.{number % 64 * 4 + pod}.1" for pod in range(4)]
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": name, "namespace": "scale", "labels": {"app": name, "kubernetes.io/service-name": name}},
            "ports": [{"name": "http", "port": 7777, "protocol": "TCP"}],
            "endpoints": [{"addresses": [ip], "conditions": {"ready": pod < ready, "serving": True, "terminating": False},
                           "nodeName": f"node-{(number + pod) % 50:03d}.example.internal", "zone": "zone-a",
                           "targetRef": {"kind": "Pod", "namespace": "scale", "name": f"{name}-7d9f8b6c5-abcd{pod}"}}
                          for pod, ip in enumerate(ips)]}


def write(api, verb, numbers, **how):
    path = api.folder / "scale.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [slice_of(number, **how) for number in numbers]}))
    api.kubectl(*verb, "-f", path)


def cpu_seconds(weft):
    with open(f"/proc/{weft.process.pid}/stat", encoding="ascii") as stat:
        return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.full
def test_a_proxy_in_a_large_cluster(api, mesh):
    config = mesh.config(
        mesh.router(dtab="/svc => /#/io.l5d.k8s/scale/http"),
        namers=[{"kind": "io.l5d.k8s", "host": "127.0.0.1", "port": api.port, "caFile": str(api.folder / "ca.crt"),
                 "tokenFile": str(api.account("weft"))}])
    small = mesh.weft(config)
    assert mesh.client(small).get("scale-00000").status == 502   # asked, and answered by an empty list
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "scale"}})
    before = small.resident_bytes() // 1024
    for ip in range(1, 5):
        mesh.origin(ip=f"10.99.0.{ip}", port=7777)
    try:
        for begin in range(0, SERVICES, 500):
            write(api, ("create",), range(begin, begin + 500))
        fresh = mesh.weft(config)
        began = time.monotonic()
        client = mesh.client(fresh)
        assert client.get("scale-00000").status == 200
        first = time.monotonic() - began
        assert all(client.get(f"scale-{number:05d}").status == 200 for number in range(CALLED))
        grown, used = fresh.resident_bytes() // 1024 - before, cpu_seconds(fresh)
        write(api, ("apply", "--server-side", "--force-conflicts"), range(1000, 2000), ready=3)
        # What is changed last is seen last.
        write(api, ("apply", "--server-side", "--force-conflicts"), [0], ready=0)
        wait_until(lambda: client.get("scale-00000").status == 502, "the change")
        changes = cpu_seconds(fresh) - used
        print(f"{SERVICES} Services, {4 * SERVICES} endpoints: {grown} KiB more, first call after {first:.2f} s, "
              f"{used:.2f} s of CPU; 1,000 changes: {changes:.2f} s")
        assert grown <= MOST_KIB
        assert first <= MOST_SECONDS
    finally:
        api.kubectl("delete", "endpointslices", "--namespace=scale", "--all", "--wait=false")
