# SPDX-License-Identifier: Apache-2.0
"""The cluster of tests/cluster/rig, and weft in it: kubectl as its administrator, requests from beside the nodes and from pods."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

REPOSITORY = pathlib.Path(__file__).parents[3]
RIG = REPOSITORY / "tests/cluster/rig/rig.sh"
SAMPLES = REPOSITORY / "samples/helloworld/kubernetes"
HOME = pathlib.Path(os.environ["WEFT_CLUSTER"])
HELM, KUBECTL = HOME / "bin/helm", HOME / "bin/kubectl"
HELLO = re.compile(r"Hello \((?P<hello>[\d.]+)\) (?P<text>\w+) \((?P<world>[\d.]+)\)!!")


def run(*words, given=None, check=True, seconds=120):
    """What a command says on standard output."""
    done = subprocess.run([str(word) for word in words], input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=seconds, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, words))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if check else done


def wait_until(condition, what, seconds=60):
    """Asks until the condition holds, and gives what it said; an assertion of its own counts as no."""
    end = time.monotonic() + seconds
    while True:
        try:
            said = condition()
        except AssertionError as error:
            said, what_else = None, f": {error}"
        else:
            what_else = f": {said!r}"
        if said:
            return said
        assert time.monotonic() < end, f"not within {seconds} s: {what}{what_else}"
        time.sleep(0.2)


def is_group(number):
    """Whether any process of that group is left."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


def weft(*words, check=True):
    return run(os.environ["WEFT"], *words, check=check)


class Cluster:
    def __init__(self, count):
        self.count = count
        self.nodes = {}

    def up(self):
        run(RIG, "up", "--nodes", self.count, seconds=400)
        self.nodes = dict(line.split() for line in run(RIG, "nodes").splitlines())
        assert len(self.nodes) == self.count

    def down(self):
        run(RIG, "down")
        left = run(RIG, "leftovers")
        assert left == "", f"the cluster has left behind:\n{left}"

    def kubectl(self, *words, given=None, check=True, seconds=120):
        return run(RIG, "kubectl", *words, given=given, check=check, seconds=seconds)

    def outside(self, *words, check=True, seconds=60):
        """A command beside the nodes."""
        return run(RIG, "run", *words, check=check, seconds=seconds)

    def in_pod(self, pod, *words, check=True):
        return self.kubectl("exec", pod, "--", *words, check=check)

    @contextlib.contextmanager
    def beside(self, *words):
        """A command beside the nodes, for as long as the block runs."""
        process = subprocess.Popen([str(RIG), "run", *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(10)
            wait_until(lambda: not is_group(process.pid), "what ran beside the nodes has ended, and its ports are free")

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def apply(self, objects):
        return self.kubectl("apply", "-f", "-", given=objects)

    def rolled_out(self, *names):
        for name in names:
            self.kubectl("rollout", "status", name, "--timeout=90s")

    def pods(self, app):
        """Address and node of each pod that is ready."""
        return {pod["status"]["podIP"]: pod["spec"]["nodeName"] for pod in self.get("pods", "-l", f"app={app}")["items"]
                if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
                and "deletionTimestamp" not in pod["metadata"]}

    def replicated(self, *names, replicas=3):
        for name in names:
            wait_until(lambda name=name: len(self.pods(name)) == replicas, f"{replicas} pods of {name} are ready", 90)

    def curl(self, *words, node=None, check=True):
        """With `node`, through the proxy of that node, as http_proxy says."""
        proxy = [f"http_proxy={self.nodes[node]}:4140"] if node else []
        return self.outside("env", *proxy, "curl", "-sS", "--compressed", "-m", "5", *words, check=check)

    def hello(self, *words, node="node1"):
        """The answer of hello in its parts, by its node's proxy or by what the words say."""
        said = self.curl(*(words or ["http://hello"]), node=None if words else node)
        found = HELLO.fullmatch(said)
        assert found, f"not hello's answer: {said}"
        return found.groupdict()

    def balance(self, service, *addresses):
        """What a controller of load balancers would do: these addresses lead to the Service."""
        status = {"status": {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}}}
        self.kubectl("patch", "service", service, "--subresource=status", "--type=merge", "-p", json.dumps(status))

    @contextlib.contextmanager
    def identity(self, folder):
        """A secret with what the node proxies need for mutual TLS: its name."""
        weft("ca", "init", folder / "ca", "--trust-domain", "cluster.local")
        (folder / "l5d").mkdir()
        weft("ca", "issue", folder / "ca", "--id", "spiffe://cluster.local/ns/default/sa/l5d", "--out", f"{folder}/l5d/")
        self.kubectl("create", "secret", "generic", "l5d-identity", *(f"--from-file={folder}/l5d/{name}.pem" for name in ("svid", "bundle")))
        try:
            yield "l5d-identity"
        finally:
            self.kubectl("delete", "secret", "l5d-identity")

    def metrics(self, node):
        return json.loads(self.curl(f"http://{self.nodes[node]}:9990/admin/metrics.json"))
