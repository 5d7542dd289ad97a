# SPDX-License-Identifier: Apache-2.0
"""weft stat and edges by workload, pod and namespace: a call goes through the caller's proxy and the endpoint's, as between two nodes; every pod has a
loopback address of its own. tests/cluster/nodes does the same on a real cluster."""

import http.client
import json
import subprocess
import time

import pytest
from test_across import Watch, add, in_shop, make_api, run, total  # noqa: F401

from kube_api import endpoint_slice, pod
from mesh import PATIENCE, WEFT, wait_until

FRONT = "127.0.1.21"
NODE_2, CART, CART_2 = "127.0.2.3", "127.0.2.31", "127.0.2.32"   # one /24, as a node's pods


def put(api, namespace, name, address, owner=None, labels=None, ready="True"):
    thing = pod(name, "node1", app=name)
    thing["metadata"].update(namespace=namespace, labels={"app": name, **(labels or {})})
    if owner:
        thing["metadata"]["ownerReferences"] = [{"kind": "Thing", "name": "other"}, {"kind": owner[0], "name": owner[1], "controller": True}]
    thing["status"] = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [{"type": "Ready", "status": ready}]}
    api.put(thing)


def at(name, api, address):
    """The proxy's pod is there."""
    [thing] = [thing for thing in api.objects.values() if (thing["kind"], thing["metadata"]["name"]) == ("Pod", name)]
    api.put({**thing, "status": {"phase": "Running", "podIP": address}})


@pytest.fixture(name="outgoing")
def make_outgoing(mesh, api):
    """Of the two proxies the caller's."""
    namers = [{"kind": "io.l5d.k8s", "port": api.port}]
    api.put(in_shop("cart", mesh.origin(ip=CART)))
    incoming = mesh.weft(mesh.config(mesh.router(label="incoming", servers=[{"port": 0, "ip": NODE_2}], dtab="/svc => /#/io.l5d.k8s/shop/http"),
                                     namers=namers))
    api.put(endpoint_slice("l5d", [incoming.address()], port_name="incoming", node="node2"))
    to = {"kind": "io.l5d.k8s.daemonset", "namespace": "default", "service": "l5d", "port": "incoming", "k8sPort": api.port}
    outgoing = mesh.weft(mesh.config(mesh.router(label="outgoing", dtab="/svc => /#/io.l5d.k8s/shop/http",
                                                 interpreter={"kind": "default", "transformers": [to]}), namers=namers))
    for name, node, weft, address in (("l5d-a", "node1", outgoing, "127.0.0.1"), ("l5d-b", "node2", incoming, NODE_2)):
        add(api, name, node, weft)
        at(name, api, address)
    put(api, "web", "front-5d4f-x", FRONT, ("ReplicaSet", "front-5d4f"), {"pod-template-hash": "5d4f"})
    put(api, "shop", "cart-0", CART, ("StatefulSet", "cart"))
    put(api, "shop", "cart-1", CART_2, ("StatefulSet", "cart"), ready="False")
    return outgoing


def call(weft, count, source=FRONT):
    connection = http.client.HTTPConnection(*weft.address(), source_address=(source, 0), timeout=PATIENCE)
    for _ in range(count):
        connection.request("GET", "/", headers={"Host": "cart"})
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
    connection.close()


def sums_of(watch, rows, *keys):
    """All windows' requests by these keys of their rows, as they come."""
    sums = {}

    def add_up():
        window = watch.window()
        assert window["unreachable"] == []
        for row in window[rows]:
            assert row["failures"] == 0
            sums[tuple(row[key] for key in keys)] = sums.get(tuple(row[key] for key in keys), 0) + row["requests"]
        return sums

    return add_up


def test_a_workload_has_what_was_sent_to_its_pods_once(outgoing, api):
    call(outgoing, 1)   # before anybody asked: not counted
    with Watch("stat", api, "--by", "workload") as watch:
        sums = sums_of(watch, "workloads", "router", "namespace", "workload")
        assert sums() == {}
        call(outgoing, 30)
        wait_until(lambda: sums() == {("incoming", "shop", "sts/cart"): 30}, "30 requests, at the endpoint's proxy alone")
        [row] = watch.window()["workloads"]
    assert (row["endpoints"], row["endpoints_up"], row["requests"], row["proxies"]) == (2, 1, 0, 1)


def test_edges_are_the_callers_proxys(outgoing, api):
    with Watch("edges", api, "--by", "workload") as watch:
        sums = sums_of(watch, "edges", "router", "caller", "namespace", "workload", "service", "secured", "inferred")
        sums()
        call(outgoing, 7)
        call(outgoing, 3, source="127.0.0.77")
        wait_until(lambda: sums() == {("outgoing", "web/deploy/front", "shop", "sts/cart", "cart", "no", True): 7,
                                      ("outgoing", "outside", "shop", "sts/cart", "cart", "no", True): 3}, "who called, and whom by the Service")


@pytest.mark.parametrize("by, rows, keys, expected", [
    ("pod", "pods", ("router", "namespace", "pod"), {("incoming", "shop", "cart-0"): 4}),
    ("namespace", "namespaces", ("router", "namespace"), {("incoming", "shop"): 4, ("outgoing", "shop"): 4}),
    ("service", "services", ("router", "namespace", "service"), {("incoming", "shop", "cart"): 4, ("outgoing", "shop", "cart"): 4}),
])
def test_other_rows(outgoing, api, by, rows, keys, expected):
    with Watch("stat", api, "--by", by) as watch:
        sums = sums_of(watch, rows, *keys)
        sums()
        call(outgoing, 4)
        wait_until(lambda: sums() == expected, "4 requests")


def test_tables_and_what_is_shown_of_them(outgoing, api):
    def table(command, *arguments):
        code, out, err = run(command, api, "--window", "300ms", *arguments)
        assert (code, err) == (0, "")
        return [line.split()[:3] for line in out.splitlines()]

    run("stat", api, "--by", "workload", "--window", "100ms")
    call(outgoing, 1)
    head, row = ["NAMESPACE", "WORKLOAD", "ROUTER"], ["shop", "sts/cart", "incoming"]
    for arguments in ([], ["--in", "shop"], ["cart"], ["sts/cart"], ["shop/*"], ["shop/cart"], ["--sort", "workload"], ["--router", "incoming"]):
        assert table("stat", "--by", "workload", *arguments) == [head, row], arguments
    for arguments in (["--in", "web"], ["front"], ["--router", "outgoing"]):
        assert table("stat", "--by", "workload", *arguments) == [head], arguments
    head, row = ["CALLER", "NAMESPACE", "WORKLOAD"], ["web/deploy/front", "shop", "(sts/cart)"]
    for arguments in ([], ["--in", "web"], ["--in", "shop"], ["front"], ["deploy/front"], ["web/front"], ["cart"]):
        assert table("edges", "--by", "workload", *arguments) == [head, row], arguments
    assert table("edges", "--by", "namespace") == [["CALLER", "NAMESPACE", "SERVICE"], ["web", "shop", "cart"]]
    assert table("edges", "--by", "pod", "nobody") == [["CALLER", "NAMESPACE", "POD"]]
    assert run("stat", api, "--by", "workload", "--min-success", "99", "--window", "100ms")[2] == "weft: no requests in the window: nothing to judge\n"


def test_without_the_right_to_list_pods(outgoing, api):
    del api.collections["/api/v1/pods"]
    assert run("stat", api, "--by", "workload", "--window", "100ms") == (
        2, "", f"weft: http://127.0.0.1:{api.port}: 404: the server could not find the requested resource: which pods there are must be known "
               "for --by workload\n")
    assert run("stat", api, "--by", "namespace", "--window", "100ms")[0] == 0


def test_nothing_is_counted_once_nobody_asks(outgoing):
    def flows(seconds):
        connection = http.client.HTTPConnection(*outgoing.admin_address)
        connection.request("GET", f"/flows.json?for={seconds}")
        answer = connection.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())["flows"]

    assert flows(6) == []
    call(outgoing, 2)
    [flow] = flows(6)
    assert (flow["router"], flow["source"], flow["success"], flow["failures"], flow["secured"]) == ("outgoing", FRONT, 2, 0, "no")
    assert sum(count for _, count in flow["latency_us"]) == 2
    time.sleep(9)   # nobody asks: the one thing that can't be waited for by asking
    call(outgoing, 5)
    assert flows(1) == []


@pytest.mark.parametrize("arguments, told", [
    (["stat", "--by", "workload"], "weft stat: --by goes with --kubernetes\n"),
    (["stat", "--in", "shop"], "weft stat: --in goes with --kubernetes\n"),
    (["routes", "--kubernetes", "--by", "pod"], "weft routes: --by is for stat, top and edges\n"),
    (["stat", "--kubernetes", "--by", "moon"], "weft stat: --by takes `name` or `service` or `namespace` or `workload` or `pod`, not `moon`\n"),
    (["stat", "--kubernetes", "--by", "pod", "--window", "1h"], "weft stat: with --by pod a --window has at most 59 minutes\n"),
])
def test_wrong_usage(arguments, told):
    done = subprocess.run([WEFT, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)
