# SPDX-License-Identifier: Apache-2.0
"""hello and world over gRPC on real nodes, by gRPC's own library: each test goes on where the one before it ended."""

import collections

import pytest

from cluster import HELLO, HOME, SAMPLES, wait_until, weft

DTAB = "/grpc/World => /srv/world-v1"
GREETER = HOME / "bin/greeter"
SERVICES = {"hello": "svc/helloworld.Hello", "world": "svc/helloworld.World"}
STREAMED = 5


@pytest.fixture(name="mesh", scope="module", autouse=True)
def make_mesh(cluster):
    sample = SAMPLES / "hello-world-grpc.yaml"
    try:
        cluster.apply(weft("install", "node", "--dtab", DTAB))
        cluster.kubectl("apply", "-f", sample)
        cluster.rolled_out("daemonset/l5d")
        cluster.replicated("hello", "world-v1")
        yield
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "--wait", "-f", sample)
        cluster.kubectl("delete", "--ignore-not-found", "--wait", "-f", "-", given=weft("uninstall"))
        wait_until(lambda: not any(cluster.get("pods", "-l", f"app={app}")["items"] for app in ("l5d", "hello", "world-v1")), "all pods are gone")


def ask(cluster, node, *words, port=4240, check=True):
    return cluster.outside(GREETER, "call", f"-addr={cluster.nodes[node]}:{port}", *words, check=check)


def greetings(cluster, node, *words):
    """The messages of a call in their parts."""
    said = [HELLO.fullmatch(line) for line in ask(cluster, node, *words).splitlines()]
    assert said and all(said)
    return [each.groupdict() for each in said]


def incoming(cluster, name):
    """Calls of a service that each node's incoming proxy has counted."""
    return {node: cluster.metrics(node).get(f"rt/grpc-incoming/service/{SERVICES[name]}/requests", 0) for node in cluster.nodes}


def all_nodes_are_called(cluster, *words):
    """Calls through the first node's proxy until hello and world have answered from each node; each answer is counted by the proxy of its node."""
    before, pods = {name: incoming(cluster, name) for name in SERVICES}, {"hello": cluster.pods("hello"), "world": cluster.pods("world-v1")}
    seen = {name: collections.Counter() for name in SERVICES}

    def called():
        for said in (greetings(cluster, "node1", *words) for _ in range(4)):
            # A stream has one hello, which asks for a world for each message.
            seen["hello"][pods["hello"][said[0]["hello"]]] += 1
            seen["world"].update(pods["world"][each["world"]] for each in said)
        return all(set(counter) == set(cluster.nodes) for counter in seen.values())

    wait_until(called, "hello and world have answered from all nodes")
    for name, expected in seen.items():
        def counted(name=name):
            return {node: now - before[name][node] for node, now in incoming(cluster, name).items()}

        wait_until(lambda counted=counted, expected=expected: counted() == dict(expected), f"each node has counted its calls of {name}")


def test_the_service_has_ports_for_grpc(cluster):
    ports = {port["name"]: port["port"] for port in cluster.get("service", "l5d")["spec"]["ports"]}
    assert (ports["grpc-outgoing"], ports["grpc-incoming"]) == (4240, 4241)


def test_hello_calls_world_through_the_proxy_of_its_node(cluster):
    def answered():
        return greetings(cluster, "node1")

    said, = wait_until(answered, "hello answers")
    assert said["text"] == "world" and said["hello"] in cluster.pods("hello") and said["world"] in cluster.pods("world-v1")
    assert len(greetings(cluster, "node1", "-streaming")) == STREAMED


def test_unary_calls_cross_nodes(cluster):
    all_nodes_are_called(cluster)


def test_streams_cross_nodes(cluster):
    all_nodes_are_called(cluster, "-streaming")


def test_methods_are_counted_by_their_status(cluster):
    def counted(method, what):
        return sum(cluster.metrics(node).get(f"rt/grpc-outgoing/method/helloworld.Hello/{method}/{what}", 0) for node in cluster.nodes)

    for method in ("Greeting", "StreamGreeting"):
        wait_until(lambda method=method: 0 < counted(method, "grpc_status/0") == counted(method, "requests"), f"calls of {method} ended with 0")


def test_a_service_that_is_not_there_is_unavailable(cluster):
    done = ask(cluster, "node1", "-service=Nobody", check=False)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("Unavailable: ")


def test_a_call_may_choose_another_world(cluster):
    """The caller's l5d-dtab is with hello's call, too, and what becomes of that is hello's answer."""
    done = ask(cluster, "node1", "-H", "l5d-dtab: /grpc/World => /$/io.buoyant.http.status/404", check=False)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("Unimplemented: ")


def test_calls_between_proxies_are_secured(cluster, tmp_path):
    with cluster.identity(tmp_path) as name:
        cluster.apply(weft("install", "node", "--dtab", DTAB, "--mtls", name))
        cluster.rolled_out("daemonset/l5d")
        wait_until(lambda: greetings(cluster, "node1"), "hello answers")
        for words in ([], ["-streaming"]):
            all_nodes_are_called(cluster, *words)
        for node in cluster.nodes:
            server = {name: value for name, value in cluster.metrics(node).items() if name.startswith("rt/grpc-incoming/server/")}
            assert sum(value for name, value in server.items() if name.endswith("/tls/handshakes")) > 0
            done = ask(cluster, node, port=4241, check=False)
            assert done.returncode == 1 and done.stdout == ""
