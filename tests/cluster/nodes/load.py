# SPDX-License-Identifier: Apache-2.0
"""A steady load from real pods, one on each node, through that node's proxy, with every outcome counted.

    with steady(cluster, "http://hello", "http://world-v1") as calls:
        cluster.kubectl("rollout", "restart", "deployment/hello")
        cluster.rolled_out("deployment/hello")
        calls.go_on()                 # a few more have been answered on every node
    assert calls.lost() == []         # what failed: when, from which node, how
    print(calls.figures())
"""

import contextlib
import json
import pathlib
import time

from cluster import wait_until

CALLER = pathlib.Path(__file__).with_name("caller.py")


class Calls:
    def __init__(self, cluster, names):
        self.cluster, self.names = cluster, names
        self.ended = None

    def of(self, node, *words):
        return json.loads(self.cluster.outside("curl", "-sS", "-m", "60", *words, f"http://{self.names[node]}:8000/", seconds=90))

    def now(self, nodes=None):
        """What the callers have counted, by node: `sent`, `answered`, `failed`, `failures`, `slow`, `seconds`."""
        return self.ended or {node: self.of(node) for node in nodes or self.names}

    def end(self):
        self.ended = {node: self.of(node, "-X", "POST") for node in self.names}

    def lost(self):
        return [failure for each in self.now().values() for failure in each["failures"]]

    def answered(self, since, until=None, nodes=None):
        """How many answers came in these seconds (of the clock), by node."""
        until = until or time.time()
        return {node: sum(number for second, number in each["seconds"].items() if since <= int(second) <= until)
                for node, each in self.now(nodes).items()}

    def go_on(self, more=40, nodes=None):
        """Until so many more calls are answered on every node."""
        since = time.time()
        wait_until(lambda: all(number >= more for number in self.answered(since + 1, nodes=nodes).values()), f"{more} more answers on each node", 120)

    def figures(self):
        now, lost = self.now(), self.lost()
        slow = [each["took"] for of in now.values() for each in of["slow"]]
        return (f"{sum(each['sent'] for each in now.values())} calls, {sum(each['failed'] for each in now.values())} lost, "
                f"{len(slow)} took over 1 s, the slowest {max(slow, default=0):.1f} s" + "".join(f"\n      {each}" for each in lost[:20]))


def pod(name, node, proxy, urls, options):
    """Restricted as any, and ended by itself."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{name}-{node}", "labels": {"app": name}}, "spec": {
        "nodeName": node, "restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "activeDeadlineSeconds": 1200,
        # Not evicted from a node that is cut off: it is the caller.
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532},
        "volumes": [{"name": "caller", "configMap": {"name": name}}],
        "containers": [{
            "name": "caller", "image": "localhost/helloworld:1",
            "command": ["/usr/bin/python3", "/caller/caller.py", *(f"--{option}={value}" for option, value in options.items()), *urls],
            "env": [{"name": "NODE_NAME", "value": node}, {"name": "http_proxy", "value": proxy}],
            "volumeMounts": [{"name": "caller", "mountPath": "/caller"}],
        }],
    }}


@contextlib.contextmanager
def steady(cluster, *urls, name="caller", proxy=None, **options):
    """Calls the URLs in turn, through their node's proxy or that one (HOST:PORT), `rate` (20) times a second from each node, for `seconds` (300) at
    most; `method` (GET), `callers` (16) and `patience` (30, seconds) are caller.py's options. It begins when each node has had its first answers."""
    objects = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"caller.py": CALLER.read_text(encoding="utf-8")}}]
    objects += [pod(name, node, proxy or f"{address}:4140", urls, options) for node, address in cluster.nodes.items()]
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    try:
        wait_until(lambda: len(cluster.pods(name)) == len(cluster.nodes), "the callers run", 90)
        calls = Calls(cluster, {node: address for address, node in cluster.pods(name).items()})
        calls.go_on(10)
        yield calls
        calls.end()
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "--wait", "--now", "pod", "-l", f"app={name}", check=False)
        cluster.kubectl("delete", "--ignore-not-found", "configmap", name, check=False)
