# SPDX-License-Identifier: Apache-2.0
"""Linkerd's exercise on real nodes, in its order: each test goes on where the one before it ended."""

import collections
import json

import pytest

from cluster import SAMPLES, wait_until, weft

DTAB = "/host/world => /srv/world-v1; /domain/world/hello/www => /srv/hello"
PROXY_BALANCER, INGRESS_BALANCER = "192.168.78.10", "192.168.78.80"
WWW = ["-H", "Host: www.hello.world"]


def count(metrics, pattern):
    """The sum of counters whose name begins and ends so."""
    begin, end = pattern
    return sum(value for name, value in metrics.items() if name.startswith(begin) and name.endswith(end))


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
        ("outgoing", 4140, 4140), ("incoming", 4141, 4141), ("grpc-outgoing", 4240, 4240), ("grpc-incoming", 4241, 4241),
        ("admin", 9990, 9990)]
    assert spec["selector"] == {"app": "l5d"}


@pytest.mark.smoke
def test_hello_calls_world_through_the_proxy_of_its_node(cluster):
    cluster.kubectl("apply", "-f", SAMPLES / "hello-world.yaml")
    cluster.replicated("hello", "world-v1")
    said = wait_until(cluster.hello, "hello answers")
    assert said["text"] == "world"
    assert said["hello"] in cluster.pods("hello") and said["world"] in cluster.pods("world-v1")


def test_the_balancer_leads_to_the_proxies(cluster):
    """The chapter's LINKERD_ELB. Nothing assigns addresses to balancers in this cluster, so the test does."""
    cluster.balance("l5d", PROXY_BALANCER)
    said = wait_until(lambda: cluster.outside("env", f"http_proxy={PROXY_BALANCER}:4140", "curl", "-sS", "-m", "5", "http://hello"), "an answer")
    assert said.startswith("Hello (")
    assert cluster.curl(f"http://{PROXY_BALANCER}:9990/admin/ping") == "pong"


def test_calls_reach_all_instances_from_every_node(cluster):
    """As the balancer goes by latencies, a node that was slow is left alone for some seconds."""
    for node in cluster.nodes:
        seen = collections.defaultdict(set)

        def all_seen(node=node, seen=seen):
            for name, address in cluster.hello(node=node).items():
                seen[name].add(address)
            return seen["hello"] == set(cluster.pods("hello")) and seen["world"] == set(cluster.pods("world-v1"))

        wait_until(all_seen, f"all instances have answered to {node}")


def test_calls_cross_nodes_from_proxy_to_proxy(cluster):
    """Each answer's pods are on nodes whose incoming proxies have counted it."""
    def incoming():
        return {node: count(cluster.metrics(node), ("rt/incoming/service/svc/", "/requests")) for node in cluster.nodes}

    before, expected = incoming(), collections.Counter()
    hello, world = cluster.pods("hello"), cluster.pods("world-v1")

    def both_called():
        said = cluster.hello(node="node1")
        expected.update([hello[said["hello"]], world[said["world"]]])
        return set(expected) == set(cluster.nodes) and expected.total() >= 40

    wait_until(both_called, "both nodes have been called")
    wait_until(lambda: {node: number - before[node] for node, number in incoming().items()} == dict(expected), "each node has counted its calls")


def test_calls_stay_in_the_zone_when_a_service_asks_for_it(cluster):
    """Kubernetes' own controller writes the hints; it looks at nodes' zones when it looks at a Service, which is why l5d's is touched."""
    pods = cluster.pods("hello")

    def called_by(node):
        return {pods[cluster.hello(node=node)["hello"]] for _ in range(20)}

    try:
        for node, zone in zip(cluster.nodes, "ab"):
            cluster.kubectl("label", "node", node, f"topology.kubernetes.io/zone={zone}")
        cluster.kubectl("annotate", "service", "l5d", "zones=are-known")
        cluster.kubectl("patch", "service", "hello", "-p", '{"spec":{"trafficDistribution":"PreferClose"}}')
        for node in cluster.nodes:
            wait_until(lambda node=node: called_by(node) == {node}, f"{node} calls its own zone only")
        cluster.kubectl("patch", "service", "hello", "-p", '{"spec":{"trafficDistribution":null}}')
        wait_until(lambda: called_by("node1") == set(cluster.nodes), "both zones are called again")
    finally:
        cluster.kubectl("patch", "service", "hello", "-p", '{"spec":{"trafficDistribution":null}}')
        cluster.kubectl("label", "node", "--all", "topology.kubernetes.io/zone-")
        cluster.kubectl("annotate", "service", "l5d", "zones-")


@pytest.mark.smoke
def test_the_dashboard_counts_them(cluster):
    def requests():
        return cluster.metrics("node1")["rt/outgoing/service/svc/hello/requests"]

    before = requests()
    for _ in range(10):
        cluster.hello()
    wait_until(lambda: requests() == before + 10, "ten requests more are counted")
    assert "<title>" in cluster.curl(f"http://{cluster.nodes['node1']}:9990/")


def test_the_ingress_takes_hosts_at_its_balancer_and_at_nodes(cluster):
    cluster.apply(weft("install", "ingress", "--dtab", DTAB, "--trust-callers"))
    cluster.rolled_out("deployment/l5d-ingress")
    addresses = [INGRESS_BALANCER, *cluster.nodes.values()]
    cluster.balance("l5d-ingress", *addresses)
    for address in addresses:
        assert wait_until(lambda address=address: cluster.hello(*WWW, f"http://{address}"), f"hello answers at {address}")["text"] == "world"
    assert cluster.curl("-o", "/dev/null", "-w", "%{http_code}", f"http://{INGRESS_BALANCER}") == "502"


def test_the_second_version_of_world_is_reached_by_header(cluster):
    cluster.kubectl("apply", "-f", SAMPLES / "world-v2.yaml")
    cluster.replicated("world-v2")
    override = [*WWW, "-H", "l5d-dtab: /host/world => /srv/world-v2;", f"http://{INGRESS_BALANCER}"]
    wait_until(lambda: cluster.hello(*override)["text"] == "earth", "earth")
    for _ in range(10):
        said = cluster.hello(*override)
        assert said["text"] == "earth" and said["world"] in cluster.pods("world-v2")
        assert cluster.hello(*WWW, f"http://{INGRESS_BALANCER}")["text"] == "world"


def test_an_ingress_for_strangers_takes_such_headers_out(cluster):
    cluster.apply(weft("install", "ingress", "--dtab", DTAB))
    override = [*WWW, "-H", "l5d-dtab: /host/world => /srv/world-v2;", f"http://{INGRESS_BALANCER}"]
    # The changed ConfigMap reaches the pods within kubelet's period.
    wait_until(lambda: all(cluster.hello(*override)["text"] == "world" for _ in range(10)), "l5d-dtab has no effect", 120)


def ingress_object(host):
    backend = {"service": {"name": "hello", "port": {"name": "http"}}}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop"}, "spec": {"ingressClassName": "weft", "rules": [
        {"host": host, "http": {"paths": [{"path": "/buy", "pathType": "Prefix", "backend": backend}]}}]}}


def test_an_ingress_by_class_serves_kubernetes_ingresses(cluster):
    cluster.apply(weft("install", "ingress", "--ingress-class", "weft"))
    cluster.apply(json.dumps(ingress_object("shop.example")))
    # ConfigMaps change within kubelet's period; a restart is quicker.
    cluster.kubectl("rollout", "restart", "deployment/l5d-ingress")
    cluster.rolled_out("deployment/l5d-ingress")
    shop = ["-H", "Host: shop.example", f"http://{INGRESS_BALANCER}/buy/now"]
    wait_until(lambda: cluster.hello(*shop)["text"] == "world", "hello answers for the Ingress")
    for other in (["-H", "Host: other.example", f"http://{INGRESS_BALANCER}/buy"], ["-H", "Host: shop.example", f"http://{INGRESS_BALANCER}/sell"]):
        # The pod before, which takes names of its own, may still be asked for a moment.
        wait_until(lambda: cluster.curl("-o", "/dev/null", "-w", "%{http_code}", *other) == "400", "what no Ingress is for to be refused")
    cluster.apply(json.dumps(ingress_object("store.example")))
    wait_until(lambda: cluster.hello("-H", "Host: store.example", f"http://{INGRESS_BALANCER}/buy")["text"] == "world", "the change is followed")
    cluster.kubectl("delete", "ingress", "shop")


def test_calls_between_proxies_are_secured(cluster, tmp_path):
    with cluster.identity(tmp_path) as name:
        cluster.apply(weft("install", "node", "--dtab", DTAB, "--mtls", name))
        cluster.rolled_out("daemonset/l5d")
        pods = cluster.pods("hello")
        wait_until(lambda: {pods[cluster.hello(node="node1")["hello"]] for _ in range(20)} == set(cluster.nodes), "hello answers from both nodes")
        for node, address in cluster.nodes.items():
            assert count(cluster.metrics(node), ("rt/incoming/server/", "/tls/handshakes")) > 0
            said = cluster.outside("curl", "-sS", "-m", "5", "-H", "Host: hello", f"http://{address}:4141/", check=False)
            assert said.returncode != 0 and said.stdout == ""


@pytest.mark.smoke
def test_removal_leaves_nothing(cluster):
    cluster.kubectl("delete", "--ignore-not-found", "-f", SAMPLES / "world-v2.yaml", "-f", SAMPLES / "hello-world.yaml")
    cluster.kubectl("delete", "--ignore-not-found", "-f", "-", given=weft("uninstall"))

    def left():
        return [line for line in cluster.kubectl("get", "all", "-o", "name").splitlines() if line != "service/kubernetes"]

    wait_until(lambda: not left(), "kubectl get all shows none of it", 90)
    for kind in ("clusterrole", "clusterrolebinding", "configmap", "serviceaccount", "poddisruptionbudget"):
        assert cluster.kubectl("get", kind, "-A", "-l", "app.kubernetes.io/part-of=weft", "-o", "name") == ""
