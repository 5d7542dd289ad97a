# SPDX-License-Identifier: Apache-2.0
"""Linkerd's exercise on real nodes, in its order: each test goes on where the one before it ended."""

import pytest

from cluster import SAMPLES, wait_until, weft

DTAB = "/host/world => /srv/world-v1"


@pytest.mark.smoke
def test_the_node_proxy_is_installed(cluster):
    cluster.apply(weft("install", "node", "--dtab", DTAB, "--service-type", "LoadBalancer"))
    cluster.rolled_out("daemonset/l5d")
    assert set(cluster.pods("l5d")) == set(cluster.nodes.values())
    for address in cluster.nodes.values():
        assert cluster.curl(f"http://{address}:9990/admin/ping") == "pong"


@pytest.mark.smoke
def test_its_service_has_the_ports_of_the_exercise(cluster):
    spec = cluster.get("service", "l5d")["spec"]
    assert [(port["name"], port["port"], port["targetPort"]) for port in spec["ports"]] == [
        ("outgoing", 4140, 4140), ("incoming", 4141, 4141), ("admin", 9990, 9990)]
    assert spec["selector"] == {"app": "l5d"}


@pytest.mark.smoke
def test_hello_calls_world_through_the_proxy_of_its_node(cluster):
    cluster.kubectl("apply", "-f", SAMPLES / "hello-world.yaml")
    cluster.replicated("hello", "world-v1")
    said = wait_until(cluster.hello, "hello answers")
    assert said["text"] == "world"
    assert said["hello"] in cluster.pods("hello") and said["world"] in cluster.pods("world-v1")


def test_calls_reach_all_instances_from_every_node(cluster):
    for node in cluster.nodes:
        seen = [cluster.hello(node=node) for _ in range(30)]
        assert {said["hello"] for said in seen} == set(cluster.pods("hello"))
        assert {said["world"] for said in seen} == set(cluster.pods("world-v1"))


@pytest.mark.smoke
def test_the_dashboard_counts_them(cluster):
    def requests():
        return cluster.metrics("node1")["rt/outgoing/service/svc/hello/requests"]

    before = requests()
    for _ in range(10):
        cluster.hello()
    wait_until(lambda: requests() == before + 10, "ten requests more are counted")
    assert "<title>" in cluster.curl(f"http://{cluster.nodes['node1']}:9990/")


@pytest.mark.smoke
def test_removal_leaves_nothing(cluster):
    cluster.kubectl("delete", "-f", SAMPLES / "hello-world.yaml")
    cluster.kubectl("delete", "--ignore-not-found", "-f", "-", given=weft("uninstall"))

    def left():
        return [line for line in cluster.kubectl("get", "all", "-o", "name").splitlines() if line != "service/kubernetes"]

    wait_until(lambda: not left(), "kubectl get all shows none of it", 90)
    for kind in ("clusterrole", "clusterrolebinding", "configmap", "serviceaccount", "poddisruptionbudget"):
        assert cluster.kubectl("get", kind, "-A", "-l", "app.kubernetes.io/part-of=weft", "-o", "name") == ""
