# SPDX-License-Identifier: Apache-2.0
"""weft stat, routes, edges, tap and explain across all proxies of the cluster, from beside it: only the API server is reached. Calls between proxies
are secured by mutual TLS."""

import contextlib
import json
import os
import signal
import subprocess

import pytest

from cluster import HOME, RIG, SAMPLES, wait_until, weft

API = ["--kubernetes", "--kubeconfig", HOME / "state/pki/admin.kubeconfig"]
DTAB = "/host/world => /srv/world-v1"


@pytest.fixture(name="mesh", scope="module")
def make_mesh(cluster, tmp_path_factory):
    folder = tmp_path_factory.mktemp("identity")
    weft("ca", "init", folder / "ca", "--trust-domain", "cluster.local")
    (folder / "l5d").mkdir()
    weft("ca", "issue", folder / "ca", "--id", "spiffe://cluster.local/ns/default/sa/l5d", "--out", f"{folder}/l5d/")
    try:
        cluster.kubectl("create", "secret", "generic", "l5d-identity", *(f"--from-file={folder}/l5d/{name}.pem" for name in ("svid", "bundle")))
        cluster.apply(weft("install", "node", "--dtab", DTAB, "--mtls", "l5d-identity"))
        cluster.rolled_out("daemonset/l5d")
        cluster.kubectl("apply", "-f", SAMPLES / "hello-world.yaml")
        cluster.replicated("hello", "world-v1")
        for node in cluster.nodes:
            wait_until(lambda node=node: all(cluster.hello(node=node) for _ in range(10)), f"hello answers at {node}")
        yield cluster
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "-f", SAMPLES / "hello-world.yaml")
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", given=weft("uninstall"))
        cluster.kubectl("delete", "--ignore-not-found", "secret", "l5d-identity")
        wait_until(lambda: not cluster.pods("l5d") and not cluster.pods("hello"), "all is gone", 90)


def see(cluster, command, *words):
    return cluster.outside(os.environ["WEFT"], command, *API, *words)


@contextlib.contextmanager
def lines_of(command, *words):
    """A command of weft's that goes on: a function that gives its next line, as JSON."""
    process = subprocess.Popen([str(word) for word in (RIG, "run", os.environ["WEFT"], command, *API, "-o", "json", *words)], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield lambda: json.loads(process.stdout.readline())
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


def test_sums_are_what_was_sent(mesh):
    """Each call of hello is one of hello's from beside the nodes, at one of them, and one of world's from its pod."""
    with lines_of("stat", "--watch", "--window", "500ms") as window:
        first = window()
        assert first["unreachable"] == [] and {row["name"] for row in first["services"]} >= {"svc/hello", "svc/world"}
        sums = {}

        def add():
            for row in window()["services"]:
                key = row["router"], row["namespace"], row["service"]
                sums[key] = sums.get(key, 0) + row["requests"]
                assert row["failures"] == 0
            return sums

        for number, node in enumerate(mesh.nodes):
            for _ in range(20 + 7 * number):
                mesh.hello(node=node)
        sent = sum(20 + 7 * number for number in range(len(mesh.nodes)))
        expected = {(router, "default", service): sent for router in ("outgoing", "incoming") for service in ("hello", "world-v1")}
        wait_until(lambda: add() == expected, f"all {sent} are counted")
        assert add() == expected


def test_routes_and_edges_name_services_and_say_what_is_encrypted(mesh):
    routes = json.loads(see(mesh, "routes", "-o", "json"))["routes"]
    assert sorted((row["router"], row["namespace"], row["service"], row["port"], row["name"]) for row in routes) == sorted(
        (router, "default", service, "http", name) for router in ("outgoing", "incoming")
        for service, name in (("hello", "svc/hello"), ("world-v1", "svc/world")))
    edges = json.loads(see(mesh, "edges", "-o", "json"))["edges"]
    assert {(row["caller"], row["service"], row["secured"]) for row in edges if row["router"] == "incoming" and row["namespace"]} >= {
        ("default/l5d", "hello", "mutual"), ("default/l5d", "world-v1", "mutual"), ("rt/incoming", "hello", "no")}
    outgoing = sorted((row["caller"], row["service"], row["secured"]) for row in edges if row["router"] == "outgoing" and row["namespace"])
    assert outgoing == [("plaintext", "hello", "no"), ("plaintext", "world-v1", "no"), ("rt/outgoing", "hello", "mutual"),
                        ("rt/outgoing", "world-v1", "mutual")]
    proxies = json.loads(see(mesh, "stat", "--per-proxy", "-o", "json", "default/hello"))["services"]
    assert {row["proxy"].partition("@")[2] for row in proxies} == set(mesh.nodes)


def test_tap_sees_all_nodes(mesh):
    """Proxies are on their nodes' networks: they are called by the nodes' names."""
    pods = {f"default/{pod['metadata']['name']}" for pod in mesh.get("pods", "-l", "app=hello")["items"]}
    asked, called = set(), set()

    def all_seen(line):
        if line["router"] == "outgoing":
            asked.add(line["path"])
            assert line.get("destination_pod", "node1") in mesh.nodes
        elif "destination_pod" in line:
            assert line["source_pod"] in mesh.nodes and line["destination_pod"] in pods
            called.add(line["destination_pod"])
        return asked >= {f"/{node}" for node in mesh.nodes} and called

    calls = "; ".join(f"http_proxy={address}:4140 curl -s -o /dev/null -m 5 http://hello/{node}" for node, address in mesh.nodes.items())
    with lines_of("tap", "--pods", "hello") as line, mesh.beside("sh", "-c", f"while sleep 0.2; do {calls}; done"):
        wait_until(lambda: all_seen(line()), "requests at each node, and the pods that had them")


def test_explain_for_a_call_of_a_pod(mesh):
    pod = mesh.get("pods", "-l", "app=hello")["items"][0]["metadata"]["name"]
    said = json.loads(see(mesh, "explain", "--from-pod", pod, "-o", "json", "http://world/"))
    assert [end["client"] for end in said["destinations"]] == ["/%/io.l5d.k8s.daemonset/default/incoming/l5d/#/io.l5d.k8s/default/http/world-v1"]
    assert {endpoint["address"] for endpoint in said["destinations"][0]["endpoints"]} == {f"{address}:4141" for address in mesh.nodes.values()}


def test_workloads_and_whom_they_call(mesh):
    """Calls cross nodes: each counts once for the workload that is called, and for the pod that calls. The first is from beside the nodes."""
    with lines_of("stat", "--by", "workload", "--watch", "--window", "500ms") as window, lines_of(
            "edges", "--by", "workload", "--watch", "--window", "500ms") as edge_window:
        window(), edge_window()
        sums, edges = {}, {}

        def add():
            for row in window()["workloads"]:
                assert row["failures"] == 0
                sums[row["router"], row["namespace"], row["workload"]] = sums.get((row["router"], row["namespace"], row["workload"]), 0) + row["requests"]
            for row in edge_window()["edges"]:
                key = row["router"], row["caller"], row["namespace"], row["workload"], row["secured"], row["inferred"]
                edges[key] = edges.get(key, 0) + row["requests"]
            return sums, {key: count for key, count in edges.items() if count and key[1].startswith("default/")}

        for node in mesh.nodes:
            for _ in range(20):
                mesh.hello(node=node)
        sent = 20 * len(mesh.nodes)
        expected = ({("incoming", "default", f"rc/{name}"): sent for name in ("hello", "world-v1")},
                    {("outgoing", "default/rc/hello", "default", "rc/world-v1", "mutual", True): sent})
        wait_until(lambda: add() == expected, f"all {sent} are counted")
    pods = json.loads(see(mesh, "stat", "--by", "pod", "-o", "json", "--in", "default", "hello*"))["pods"]
    assert {row["pod"] for row in pods} == {pod["metadata"]["name"] for pod in mesh.get("pods", "-l", "app=hello")["items"]}
