# SPDX-License-Identifier: Apache-2.0
"""A cluster of 5,000 Services with 20,000 endpoints, of which a proxy calls ten: what that costs it in time and memory, and what it costs to
hear of 20 changes a second. kwok is kubelet for all pods, Kubernetes' own controller makes the EndpointSlices. The pods' addresses are this
network namespace's own, so that one listener answers for all of them."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import ssl
import threading
import time

import pytest

from mesh import wait_until

SERVICES, PODS, CALLED, NODES = 5000, 4, 10, 50
CHANGES, A_SECOND = 400, 20
MOST_KIB, MOST_SECONDS = 6 * 1024, 2.0
A_NAMESPACE = 100  # Services; for each Kubernetes looks at all pods of its namespace


class Writer:
    """Objects by the API itself, over a kept connection a thread: kubectl would take several times as long."""

    def __init__(self, api):
        self.port, self.threads = api.port, threading.local()
        self.tls = ssl.create_default_context(cafile=api.folder / "ca.crt")
        self.tls.load_cert_chain(api.folder / "admin.crt", api.folder / "admin.key")

    def ask(self, method, path, item=None):
        # The API server ends what was idle for 90 s.
        if time.monotonic() - getattr(self.threads, "used", 0.0) > 30:
            self.threads.connection = http.client.HTTPSConnection("localhost", self.port, context=self.tls, timeout=120)
        self.threads.connection.request(method, path, body=json.dumps(item) if item else None, headers={"content-type": "application/json"})
        with self.threads.connection.getresponse() as answer:
            said = answer.read()
        self.threads.used = time.monotonic()
        assert answer.status < 300, f"{method} {path}: {answer.status} {said[:500]}"
        return json.loads(said)

    def create(self, items):
        """Of (path, object)."""
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            for _ in threads.map(lambda item: self.ask("POST", *item), items):
                pass


def name_of(number):
    return f"scale-{number:05d}"


def namespace_of(number):
    return f"scale-{number // A_NAMESPACE}"


def path_of(number, kind):
    return f"/api/v1/namespaces/{namespace_of(number)}/{kind}"


def service_of(number):
    name = name_of(number)
    return {"metadata": {"name": name, "labels": {"app": name}},
            "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 7777}]}}


def pod_of(number, pod):
    name = name_of(number)
    return {"metadata": {"name": f"{name}-7d9f8b6c5-{pod:05d}", "labels": {"app": name, "pod-template-hash": "7d9f8b6c5"}},
            "spec": {"nodeName": f"node-{(number + pod) % NODES:03d}.example.internal",
                     "containers": [{"name": "main", "image": "localhost/none:1", "ports": [{"name": "http", "containerPort": 7777}]}]}}


def slices(writer):
    """How many endpoints are ready, and how often the controller has written an EndpointSlice."""
    items = writer.ask("GET", "/apis/discovery.k8s.io/v1/endpointslices")["items"]
    return (sum(endpoint["conditions"]["ready"] for item in items for endpoint in item["endpoints"] or []),
            sum(item["metadata"]["generation"] for item in items))


def wait_endpoints(writer, patience):
    """Until each pod is one. To ask is work for the API server, so it is asked seldom. How often slices were written."""
    end = time.monotonic() + patience
    while True:
        ready, written = slices(writer)
        if ready == SERVICES * PODS:
            return written
        assert time.monotonic() < end, f"{ready} endpoints are ready after {patience} s"
        time.sleep(2)


def cpu_seconds(weft):
    with open(f"/proc/{weft.process.pid}/stat", encoding="ascii") as stat:
        return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def change(writer):
    """Pods end and others take their places, which is one change of a slice each, or two; one in ten is of a service that is called."""
    begin = time.monotonic()
    for turn in range(CHANGES):
        number = turn // 10 % CALLED if turn % 10 == 0 else CALLED + turn * 17 % (SERVICES - CALLED)
        writer.ask("DELETE", f"{path_of(number, 'pods')}/{pod_of(number, turn // 100)['metadata']['name']}")
        writer.ask("POST", path_of(number, "pods"), pod_of(number, PODS + turn))
        time.sleep(max(0.0, begin + (turn + 1) / A_SECOND - time.monotonic()))


@contextlib.contextmanager
def alongside(function, *arguments):
    """Runs beside the block, which lasts as long; its failure is the block's."""
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        running = thread.submit(function, *arguments)
        yield running
        running.result()


@pytest.mark.full
def test_a_proxy_in_a_large_cluster(new_api, mesh, capsys):
    api = new_api
    api.start_controllers("endpointslice-controller")
    api.start_kwok("10.128.0.1/16")
    writer = Writer(api)
    writer.create(("/api/v1/nodes", {"metadata": {"name": f"node-{number:03d}.example.internal"}}) for number in range(NODES))
    for number in range(0, SERVICES, A_NAMESPACE):
        writer.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace_of(number)}})
        writer.ask("POST", path_of(number, "serviceaccounts"), {"metadata": {"name": "default"}})
    config = mesh.config(
        mesh.router(dtab=f"/svc => /#/io.l5d.k8s/{namespace_of(0)}/http"),
        namers=[{"kind": "io.l5d.k8s", "host": "127.0.0.1", "port": api.port, "caFile": str(api.folder / "ca.crt"),
                 "tokenFile": str(api.account("weft"))}])
    small = mesh.weft(config)
    assert mesh.client(small).get(name_of(0)).status == 502   # asked, and answered by an empty list
    empty = small.resident_bytes() // 1024

    mesh.origin(ip="0.0.0.0", port=7777)
    writer.create((path_of(number, "pods"), pod_of(number, pod)) for number in range(SERVICES) for pod in range(PODS))
    writer.create((path_of(number, "services"), service_of(number)) for number in range(SERVICES))
    written = wait_endpoints(writer, 600)

    began = time.monotonic()
    fresh = mesh.weft(config)
    client = mesh.client(fresh)
    assert client.get(name_of(0)).status == 200
    first = time.monotonic() - began
    assert all(client.get(name_of(number)).status == 200 for number in range(CALLED))
    grown, used = fresh.resident_bytes() // 1024 - empty, cpu_seconds(fresh)

    calls = 0
    with alongside(change, writer) as changing:
        while not changing.done():
            assert client.get(name_of(calls % CALLED)).status == 200
            calls += 1
            time.sleep(0.1)
    changes = wait_endpoints(writer, 120) - written
    assert changes >= CHANGES / 2
    # What is changed last is seen last.
    for pod in writer.ask("GET", f"{path_of(0, 'pods')}?labelSelector=app={name_of(0)}")["items"]:
        writer.ask("DELETE", f"{path_of(0, 'pods')}/{pod['metadata']['name']}")
    wait_until(lambda: client.get(name_of(0)).status == 502, "the change", 120)
    cost = cpu_seconds(fresh) - used
    with capsys.disabled():
        print(f"\n   {SERVICES} Services, {PODS * SERVICES} endpoints: {grown} KiB more, first answer {first:.2f} s after the start, {used:.2f} s of CPU; "
              f"{changes} changes, {A_SECOND} a second: {calls} calls, {1000 * cost / changes:.2f} s of CPU for 1,000")
    assert grown <= MOST_KIB
    assert first <= MOST_SECONDS
