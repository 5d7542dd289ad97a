# SPDX-License-Identifier: Apache-2.0
"""What callers in pods lose when something ends: each break comes in the midst of a steady load from every node, and every call is counted."""

import contextlib
import json
import time

import pytest
import yaml

from cluster import RIG, SAMPLES, run, wait_until, weft
from load import steady

DTAB = "/host/world => /srv/world-v1"
AWAY_S = 60


def shop():
    """The exercise's services as Deployments, each of whose pods is called for 5 s more after it is to end, as docs/kubernetes.md advises. They
    find their proxies by address: the cluster's DNS may be on the other node."""
    for each in yaml.safe_load_all((SAMPLES / "hello-world.yaml").read_text()):
        if each["kind"] == "ReplicationController":
            each.update(apiVersion="apps/v1", kind="Deployment")
            each["spec"]["selector"] = {"matchLabels": each["spec"]["selector"]}
            pod = each["spec"]["template"]["spec"]
            pod["terminationGracePeriodSeconds"] = 30
            for variable in pod["containers"][0]["env"]:
                if variable["name"] == "NODE_NAME":
                    variable["valueFrom"]["fieldRef"]["fieldPath"] = "status.hostIP"
            pod["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}
        yield each


@pytest.fixture(name="mesh", scope="module")
def make_mesh(cluster):
    """The node proxies, hello and world with pods on every node."""
    objects = yaml.safe_dump_all(shop())
    cluster.apply(weft("install", "node", "--dtab", DTAB))
    cluster.apply(objects)
    try:
        cluster.rolled_out("daemonset/l5d", "deployment/hello", "deployment/world-v1")
        wait_until(lambda: all(cluster.hello(node=node) for node in cluster.nodes), "hello answers on every node")
        yield cluster
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", given=objects)
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", given=weft("uninstall"))
        wait_until(lambda: cluster.kubectl("get", "all", "-o", "name").split() == ["service/kubernetes"], "all of it is gone", 90)


@pytest.fixture(name="figures")
def make_figures(capsys, request):
    def tell(calls):
        with capsys.disabled():
            print(f"\n   {request.node.name}: {calls.figures()}")
    return tell


@contextlib.contextmanager
def without_api():
    """The API server is stopped; it is there again, and everything else of the cluster, when the block is over."""
    run(RIG, "stop", "node1", "kube-apiserver")
    try:
        yield
    finally:
        run(RIG, "resume", seconds=180)


def etcd(path, **words):
    return json.loads(run(RIG, "enter", "node1", "curl", "-sS", f"http://127.0.0.1:2379/v3/{path}", "-d", json.dumps(words)))


def renamed(mesh):
    """A Service that nobody has asked for yet leads to world: what changes is still seen. Ends without it."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "earth"}, "spec": {"selector": {"app": "world-v1"}, "clusterIP": "None",
               "ports": [{"name": "http", "port": 7778}]}}

    def answers():
        return all(mesh.curl("http://earth", node=node).startswith("world") for node in mesh.nodes)

    def has_endpoints():
        slices = mesh.get("endpointslices", "-l", "kubernetes.io/service-name=earth")["items"]
        return any(each["endpoints"] for each in slices)

    assert not answers()
    mesh.apply(json.dumps(service))
    try:
        wait_until(has_endpoints, "Kubernetes has made its endpoints, whose controllers were without an API, too", 180)
        wait_until(answers, "the new Service is known on every node")
    finally:
        mesh.kubectl("delete", "service", "earth")
    wait_until(lambda: not answers(), "and forgotten")


def scaled(mesh, name, replicas):
    mesh.kubectl("scale", f"deployment/{name}", f"--replicas={replicas}")
    wait_until(lambda: len(mesh.pods(name)) == replicas, f"{replicas} pods of {name} are ready", 180)


def test_nothing_is_lost_while_the_api_server_is_away(mesh, figures):
    with steady(mesh, "http://hello", "http://world-v1") as calls:
        with without_api():
            since = time.time()
            time.sleep(AWAY_S)  # the outage is the test
            during = calls.answered(since)
        calls.go_on()
        renamed(mesh)
    figures(calls)
    assert calls.lost() == []
    assert min(during.values()) > AWAY_S, "the load went on"


def test_nothing_is_lost_when_etcd_is_compacted(mesh, figures):
    """While the API server is away its store goes on, and forgets what was before: 410 Gone for every watch that comes back."""
    with steady(mesh, "http://hello", "http://world-v1") as calls:
        with without_api():
            for _ in range(10):
                revision = etcd("kv/put", key="d2VmdA==", value="d2VmdA==")["header"]["revision"]
            etcd("kv/compaction", revision=revision, physical=True)
        calls.go_on()
        scaled(mesh, "world-v1", 2)
        scaled(mesh, "world-v1", 3)
        renamed(mesh)
        calls.go_on()
    figures(calls)
    assert calls.lost() == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_is_lost_in_a_rolling_restart_of_services(mesh, figures, method):
    """Also of what isn't tried again."""
    with steady(mesh, "http://hello", "http://world-v1", method=method) as calls:
        before = set(mesh.pods("hello")) | set(mesh.pods("world-v1"))
        for name in ("deployment/hello", "deployment/world-v1"):
            mesh.kubectl("rollout", "restart", name)
            mesh.kubectl("rollout", "status", name, "--timeout=300s", seconds=310)
        wait_until(lambda: len(mesh.pods("hello")) == 3, "the old pods are gone")
        calls.go_on()
        assert not before & (set(mesh.pods("hello")) | set(mesh.pods("world-v1")))
    figures(calls)
    assert calls.lost() == []


def kill_proxy(mesh, node):
    """As the kernel does it when it is out of memory and kills the container as a whole: by its first process, the supervisor, which nobody else can be
    mistaken for. Its identity before."""
    pod = next(each for each in mesh.get("pods", "-l", "app=l5d")["items"] if each["spec"]["nodeName"] == node)
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    run(RIG, "enter", node, "ctr", "--namespace", "k8s.io", "task", "kill", "--signal", "SIGKILL", container)
    return pod["metadata"]["name"], container


def test_of_a_killed_node_proxy_only_its_own_node_hears(mesh, figures):
    """Callers of other nodes lose nothing: what ran on it is tried again. Its own node's pods are refused until it is back."""
    with steady(mesh, "http://hello", "http://world-v1") as calls:
        name, before = kill_proxy(mesh, "node2")

        def is_back():
            status = mesh.get("pod", name)["status"]["containerStatuses"][0]
            return status["ready"] and before not in status["containerID"]

        wait_until(is_back, "the node proxy is started again", 90)
        calls.go_on()
    figures(calls)
    assert {each["node"] for each in calls.lost()} <= {"node2"}
    assert all(each["what"].startswith(("not connected", "broken")) for each in calls.lost())


def kill_only_the_proxy(mesh, node):
    """The process below the container's first one, the supervisor."""
    pod = next(each for each in mesh.get("pods", "-l", "app=l5d")["items"] if each["spec"]["nodeName"] == node)
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    tasks = run(RIG, "enter", node, "ctr", "--namespace", "k8s.io", "task", "ls").splitlines()
    first = next(line.split()[1] for line in tasks if line.startswith(container))
    run(RIG, "enter", node, "sh", "-c", f"kill -9 $(cat /proc/{first}/task/{first}/children)")
    return pod["metadata"]["name"]


def test_of_a_killed_proxy_only_what_was_in_flight_is_lost(mesh, figures):
    """Its supervisor keeps the sockets: nobody is refused."""
    kills = 3
    with steady(mesh, "http://hello", "http://world-v1") as calls:
        for killed in range(1, kills + 1):
            name = kill_only_the_proxy(mesh, "node2")
            wait_until(lambda: restarts(mesh, name) == killed, "the proxy is started again")  # pylint: disable=cell-var-from-loop
            calls.go_on()
    figures(calls)
    assert {each["node"] for each in calls.lost()} <= {"node2"}
    assert [each for each in calls.lost() if not each["what"].startswith("broken")] == []


def restarts(mesh, name):
    page = f"/api/v1/namespaces/default/pods/{name}:9990/proxy/admin/metrics.json"
    return json.loads(mesh.kubectl("get", "--raw", page, check=False).stdout or "{}").get("process/restarts")


def test_of_a_node_that_is_cut_off_the_others_lose_nothing(mesh, figures):
    """What was sent there is asked for elsewhere, within seconds; nobody says that the node is gone before Kubernetes does, after 40 s."""
    with steady(mesh, "http://hello", "http://world-v1") as calls:
        run(RIG, "unplug", "node2")
        try:
            since = time.time()
            time.sleep(15)  # the outage is the test; pods are evicted only later
            during = calls.answered(since, nodes=["node1"])
        finally:
            run(RIG, "plug", "node2")
        calls.go_on()
    figures(calls)
    assert [each for each in calls.lost() if each["node"] == "node1"] == []
    assert during["node1"] > 15, "the load went on"
