# SPDX-License-Identifier: Apache-2.0
"""Updates of the mesh as users do them, under a load from pods of every node: no request is lost, and long connections stay."""

import contextlib
import json
import os
import signal
import subprocess

import pytest

from cluster import RIG, SAMPLES, run, wait_until, weft
from load import steady

DTAB = "/host/world => /srv/world-v1; /domain/world/hello/www => /srv/hello"
# GET / of `slow`: a line a second, until somebody says GET /end.
SLOW = """
import http.server, itertools, threading
end = threading.Event()
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/end":
            end.set()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in itertools.count():
            line = b"line %d\\n" % number
            self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(line), line))
            if end.wait(1):
                break
        self.wfile.write(b"0\\r\\n\\r\\n")
http.server.ThreadingHTTPServer(("", 8080), Answer).serve_forever()
"""


def slow_objects(node):
    """As restricted as the image needs it."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "slow", "labels": {"app": "slow"}}, "spec": {
        "nodeName": node, "terminationGracePeriodSeconds": 0, "securityContext": {"runAsNonRoot": True, "runAsUser": 65532}, "containers": [{
            "name": "slow", "image": "localhost/helloworld:1", "command": ["/usr/bin/python3", "-c", SLOW],
            "ports": [{"name": "http", "containerPort": 8080}], "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1}}]}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "slow"}, "spec": {
        "clusterIP": "None", "selector": {"app": "slow"}, "ports": [{"name": "http", "port": 8080}]}}
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod, service]})


@contextlib.contextmanager
def no_call_is_lost(cluster, *urls, **options):
    """Pods on every node call these URLs while the block runs, and until a while after it: all must be answered with 200, the first time. Each caller
    calls so often that its connection isn't idle for the 200 ms for which one stays open when a proxy drains: with HTTP/1.1 a call may meet its end."""
    with steady(cluster, *urls, rate=40, callers=2, seconds=600, patience=60, **options) as calls:
        yield calls
        calls.go_on()
    print(calls.figures())
    assert calls.lost() == []


@pytest.fixture(name="mesh", scope="module")
def make_mesh(cluster):
    """The node proxy, hello and world on every node."""
    cluster.apply(weft("install", "node", "--dtab", DTAB))
    cluster.kubectl("apply", "-f", SAMPLES / "hello-world.yaml")
    try:
        cluster.rolled_out("daemonset/l5d")
        cluster.replicated("hello", "world-v1")
        for node in cluster.nodes:
            wait_until(lambda node=node: cluster.hello(node=node), f"hello answers to {node}")
        yield cluster
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "-f", SAMPLES / "hello-world.yaml")
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", given=weft("uninstall"))
        wait_until(lambda: not cluster.get("pods", "-l", "app=l5d")["items"], "the node proxies are gone", 90)


def names(cluster):
    """Of all node proxies' pods, by node, those that end as well: (name, whether it ends)."""
    found = {}
    for pod in cluster.get("pods", "-l", "app=l5d")["items"]:
        found.setdefault(pod["spec"].get("nodeName"), set()).add((pod["metadata"]["name"], "deletionTimestamp" in pod["metadata"]))
    return found


def only(cluster):
    """The name of each node's one proxy; None while there are others."""
    found = names(cluster)
    if set(found) != set(cluster.nodes) or any(len(pods) != 1 for pods in found.values()):
        return None
    return {node: next(iter(pods))[0] for node, pods in found.items()}


def serving(cluster):
    """Names of the pods that are ready, without those that end."""
    return {pod["metadata"]["name"] for pod in cluster.get("pods", "-l", "app=l5d")["items"] if "deletionTimestamp" not in pod["metadata"]
            and any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))}


def updated(cluster, before):
    """Waits until the update is through, and the pods of before are gone."""
    cluster.kubectl("rollout", "status", "daemonset/l5d", "--timeout=180s", seconds=200)
    after = wait_until(lambda: only(cluster), "one proxy a node", 90)
    assert not set(after.values()) & set(before.values())
    return after


def restarted(cluster, times, *loads):
    """The node proxies, while those loads go on."""
    before = wait_until(lambda: only(cluster), "one proxy a node")
    for _ in range(times):
        cluster.kubectl("rollout", "restart", "daemonset/l5d")
        before = updated(cluster, before)
        for calls in loads:
            calls.go_on()


def test_node_proxies_are_restarted_under_load(mesh):
    """POST isn't tried again by anybody."""
    with no_call_is_lost(mesh, "http://hello", "http://world") as calls, \
            no_call_is_lost(mesh, "http://hello", "http://world", name="posts", method="POST") as posts:
        restarted(mesh, 2, calls, posts)


def test_the_whole_mesh_is_restarted_under_load(mesh):
    """Node proxies and the ingress at once, with callers of both; the ingress' callers reach it by its Service."""
    mesh.apply(weft("install", "ingress", "--dtab", DTAB))
    mesh.rolled_out("deployment/l5d-ingress")
    with no_call_is_lost(mesh, "http://hello") as inside, \
            no_call_is_lost(mesh, "http://www.hello.world", name="visits", proxy="l5d-ingress:80") as outside:
        mesh.kubectl("rollout", "restart", "deployment/l5d-ingress")
        restarted(mesh, 1, inside, outside)
        mesh.rolled_out("deployment/l5d-ingress")
        for calls in (inside, outside):
            calls.go_on()


def test_another_image_takes_over_and_long_connections_stay(mesh, tmp_path):
    """The new process has the ports, while the old pod, told to end, goes on with what has begun."""
    for node in mesh.nodes:
        run(RIG, "enter", node, "ctr", "--namespace", "k8s.io", "images", "tag", "--force", image_of(mesh), "localhost/weft:next")
    before = wait_until(lambda: only(mesh), "one proxy a node")
    far = list(mesh.nodes)[-1]
    mesh.apply(slow_objects(far))
    try:
        mesh.replicated("slow", replicas=1)
        with no_call_is_lost(mesh, "http://hello", "http://world") as calls, long_call(mesh, tmp_path / "said", "node1") as lasting:
            mesh.apply(weft("install", "node", "--dtab", DTAB, "--image", "localhost/weft:next"))
            # Not by `rollout status`: that looks at the oldest pod of a node, and so waits for the end of long connections.
            wait_until(lambda: len(serving(mesh) - set(before.values())) == len(mesh.nodes) == len(serving(mesh)), "new pods alone are ready", 180)
            calls.go_on()
            assert image_of(mesh) == "localhost/weft:next"
            # At both ends of the call, the proxy of who calls and that of the node that it goes to.
            for node in {"node1", far}:
                assert (before[node], True) in names(mesh)[node] and len(names(mesh)[node]) == 2
            assert lasting.poll() is None
            mesh.curl(f"http://{next(iter(mesh.pods('slow')))}:8080/end")
            assert lasting.wait(60) == 0
            said = (tmp_path / "said").read_text().splitlines()
            assert said == [f"line {number}" for number in range(len(said))]
            updated(mesh, before)
    finally:
        mesh.kubectl("delete", "--ignore-not-found", "--now", "pod/slow", "service/slow")


def image_of(cluster):
    return cluster.get("daemonset", "l5d")["spec"]["template"]["spec"]["containers"][0]["image"]


@contextlib.contextmanager
def long_call(cluster, file, node):
    """Of `slow`, by the proxy of that node, into a file; it has begun."""
    with open(file, "wb") as out, subprocess.Popen(
            [str(RIG), "run", "env", f"http_proxy={cluster.nodes[node]}:4140", "curl", "-fsSN", "--retry", "30", "--retry-delay", "1",
             "--retry-all-errors", "http://slow/"],
            stdin=subprocess.DEVNULL, stdout=out, start_new_session=True) as process:
        try:
            wait_until(lambda: file.read_text() != "", "its first line")
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)


def test_node_proxies_with_mutual_tls_are_restarted_under_load(mesh, tmp_path):
    before = wait_until(lambda: only(mesh), "one proxy a node")
    with mesh.identity(tmp_path) as name:
        mesh.apply(weft("install", "node", "--dtab", DTAB, "--mtls", name))
        updated(mesh, before)
        for node in mesh.nodes:
            wait_until(lambda node=node: mesh.hello(node=node), f"hello answers to {node}")
        with no_call_is_lost(mesh, "http://hello", "http://world") as calls, \
                no_call_is_lost(mesh, "http://hello", "http://world", name="posts", method="POST") as posts:
            restarted(mesh, 1, calls, posts)
